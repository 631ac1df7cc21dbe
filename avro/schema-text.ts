/** The part of an Avro schema that our own contracts use; anything else in an .avsc is refused by `describe`. */
export type AvroLogicalType = {
  readonly type: string;
  readonly logicalType?: string;
  readonly precision?: number;
  readonly scale?: number;
  readonly name?: string;
  readonly symbols?: readonly string[];
  readonly doc?: string;
};

export type AvroField = {
  readonly name: string;
  readonly type: string | AvroLogicalType | readonly ['null', string | AvroLogicalType];
  readonly default?: unknown;
  readonly personal?: boolean;
  readonly doc?: string;
};

export type AvroRecord = {
  readonly type: 'record';
  readonly name: string;
  readonly namespace: string;
  readonly doc?: string;
  readonly key: readonly string[];
  readonly owner: string;
  readonly fields: readonly AvroField[];
};
