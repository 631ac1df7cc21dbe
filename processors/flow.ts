/**
 * The second stage: canonical records → the steps between systems → canonical records. An output carries its input's
 * position, time, trace and hops, so it orders as its input does. That holds only while one step feeds an entity, and one
 * input entity that step: checked at start.
 */
import { asBuffer } from '../core/bytes.ts';
import {
  type CanonicalFields,
  type EntityDescription,
  keyFields,
  keyText,
  type RecordMeta,
} from '../core/canonical-record.ts';
import { ConfigError, ContractError, InvariantError, RecordError } from '../core/errors.ts';
import { Refusal } from '../core/mapping.ts';
import type { LogRecord, LogSlice, OutputRecord } from '../core/ports.ts';
import type { Step, StepOutput } from '../core/step.ts';
import { isTruncation } from '../core/truncation.ts';
import { NOTHING_KNOWN, type RecordClaims } from './claims.ts';
import { type Codecs, META_HEADER } from './codecs.ts';
import type { Entities } from './compile-mapping.ts';
import { Counter } from './counter.ts';
import type { Rejected, Stage, Transformed } from './stage.ts';

export type FlowParts = {
  readonly groupId: string;
  readonly steps: readonly Step[];
  readonly entities: Entities;
  readonly codecs: Codecs;
  readonly partitionCount: (topic: string) => number;
};

export const FLOW = 'flow';

export function flowStage(parts: FlowParts): Stage {
  checkSteps(parts.steps, parts.entities);
  const byTopic = Map.groupBy(parts.steps, (step) => (parts.entities[step.from] as EntityDescription).topic);
  return {
    name: FLOW,
    groupId: parts.groupId,
    inputs: [...byTopic.keys()],
    async transform(slice) {
      const steps = byTopic.get(slice.topic) ?? [];
      const input = steps[0] === undefined ? undefined : parts.entities[steps[0].from];
      if (input === undefined) {
        throw new InvariantError({ code: 'INVARIANT_BROKEN', message: `no step reads ${slice.topic}` });
      }
      await parts.codecs.loadSchemas(slice.records.map(({ value }) => value));
      return new FlowSlice(parts, input, steps).run(slice);
    },
    async claims(slice) {
      const steps = byTopic.get(slice.topic) ?? [];
      const input = steps[0] === undefined ? undefined : parts.entities[steps[0].from];
      if (input === undefined) return [];
      await parts.codecs.loadSchemas(slice.records.map(({ value }) => value));
      return slice.records.map((record) => flowClaims(parts, input, steps, record));
    },
  };
}

/** Lists every fault at once. */
export function checkSteps(steps: readonly Step[], entities: Entities): void {
  const faults: string[] = [];
  const writers = new Map<string, string>();
  for (const { name, from, to } of steps) {
    for (const entity of to) {
      const other = writers.get(entity);
      const owner = entities[entity]?.owner;
      if (other !== undefined) faults.push(`${entity} is fed by ${other} and ${name}: their positions don't compare`);
      if (owner !== name) faults.push(`${entity} belongs to ${owner ?? 'nobody'} and not to step ${name}`);
      if (entity === from) faults.push(`${name} feeds what it reads`);
      writers.set(entity, name);
    }
  }
  if (faults.length === 0) return;
  throw new ConfigError({
    code: 'STEPS_INVALID',
    message: `${faults.length} fault${faults.length === 1 ? '' : 's'} in the steps\n${faults.map((fault) => `    - ${fault}`).join('\n')}`,
    where: 'processors/steps',
    hint: 'an entity is fed by one step, which its Avro schema names as its owner',
  });
}

type Input = { readonly key: string; readonly fields: CanonicalFields | null; readonly meta: RecordMeta };

class FlowSlice {
  readonly #parts: FlowParts;
  readonly #input: EntityDescription;
  readonly #steps: readonly Step[];
  readonly #outputs: OutputRecord[] = [];
  readonly #rejected: Rejected[] = [];
  readonly #counter = new Counter();

  constructor(parts: FlowParts, input: EntityDescription, steps: readonly Step[]) {
    this.#parts = parts;
    this.#input = input;
    this.#steps = steps;
  }

  run({ records }: LogSlice): Transformed {
    let stop: Transformed['stop'];
    for (let index = 0; index < records.length && stop === undefined; index += 1) {
      const record = records[index] as LogRecord;
      const outputs = this.#outputs.length;
      try {
        this.#take(record);
      } catch (error) {
        // all of a record's outputs or none
        this.#outputs.length = outputs;
        if (error instanceof RecordError) this.#rejected.push({ record, error });
        else if (error instanceof ContractError) stop = { at: index, reason: error };
        else throw error;
      }
    }
    const answer = { outputs: this.#outputs, rejected: this.#rejected, counts: this.#counter.counts };
    return stop === undefined ? answer : { ...answer, stop };
  }

  #take(record: LogRecord): void {
    const input = readInput(this.#parts.codecs, this.#input, record);
    if (isTruncation(input.key)) {
      this.#truncate(input.key, input.meta);
      return;
    }
    const key = keyFields(this.#input, input.key);
    for (const step of this.#steps) {
      for (const output of runStep(step, key, input.fields)) this.#emit(output, input.meta);
    }
  }

  #emit({ entity, key, fields }: StepOutput, meta: RecordMeta): void {
    const { entities, codecs } = this.#parts;
    const description = entities[entity] as EntityDescription;
    const text = keyText(description.key.map((name) => key[name] ?? null));
    const output =
      fields === null
        ? codecs.output(description, text, null, { ...meta, operation: 'd' })
        : codecs.output(description, text, { ...key, ...fields }, meta);
    this.#counter.add(fields === null ? 'tombstones' : 'produced', 1);
    this.#outputs.push(output);
  }

  /** As far as the input's reaches. From every partition of it: only behind all of them has each record before it been seen. */
  #truncate(truncation: string, meta: RecordMeta): void {
    this.#counter.add('truncations', 1);
    for (const entity of this.#steps.flatMap((step) => step.to)) {
      const description = this.#parts.entities[entity] as EntityDescription;
      const { topic, key, value, headers } = this.#parts.codecs.output(description, truncation, null, meta);
      for (let partition = 0; partition < this.#parts.partitionCount(topic); partition += 1)
        this.#outputs.push({ topic, key, value, headers, partition });
    }
  }
}

function readInput(codecs: Codecs, { entity }: EntityDescription, { key, value, headers }: LogRecord): Input {
  const header = headers[META_HEADER];
  if (key === null || header === undefined) throw incomplete(entity, key === null);
  const meta = codecs.decodeMeta(header);
  const fields = value === null ? null : codecs.decode(entity, value);
  if (meta.absent.length > 0) throw absent(entity, meta.absent);
  return { key: asBuffer(key).toString('utf8'), fields, meta };
}

/**
 * All of a record's outputs or none are sent. What a refused record would have said is known by what its steps end when their input is
 * gone; of a step that then ends nothing, by whether it says anything at all.
 */
function flowClaims(
  { codecs }: FlowParts,
  input: EntityDescription,
  steps: readonly Step[],
  record: LogRecord,
): RecordClaims {
  try {
    const { key: text, fields, meta } = readInput(codecs, input, record);
    if (isTruncation(text)) return NOTHING_KNOWN;
    const key = keyFields(input, text);
    const said = saidBy(steps, (step) => runStep(step, key, fields));
    const ended = steps.flatMap((step) => saidBy([step], () => runStep(step, key, null)) ?? []);
    const silent = steps.filter(({ name }) => !ended.includes(stepName(name))).map(({ name }) => stepName(name));
    const unsaid = { said: said ?? [...ended, ...silent], position: meta.position };
    return { unsaid, refused: unsaid, isWhole: said !== undefined };
  } catch (error) {
    if (error instanceof RecordError) return NOTHING_KNOWN;
    throw error;
  }
}

/** The step, and each of its outputs; undefined: a step refuses the record. */
function saidBy(steps: readonly Step[], run: (step: Step) => readonly StepOutput[]): string[] | undefined {
  try {
    return steps.flatMap((step) => {
      const outputs = run(step).map(({ entity, key }) => `${entity}\n${JSON.stringify(key, asText)}`);
      return outputs.length === 0 ? [] : [stepName(step.name), ...outputs];
    });
  } catch (error) {
    if (error instanceof RecordError) return undefined;
    throw error;
  }
}

function stepName(name: string): string {
  return `step ${name}`;
}

function asText(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}

/** A fault in a step must not stop the other keys; the text of its error may hold a value. */
function runStep(step: Step, key: CanonicalFields, fields: CanonicalFields | null): readonly StepOutput[] {
  try {
    return step.run(key, fields);
  } catch (error) {
    const refusal =
      error instanceof Refusal
        ? error
        : new Refusal('STEP_FAILED', `the step failed with ${error instanceof Error ? error.name : 'no error'}`);
    throw new RecordError({
      code: refusal.code,
      message: `${step.from} rejected by step ${step.name}: ${refusal.reason}`,
      where: `processors/steps/${step.name}.ts`,
      hint: 'correct the record at its source, or the step',
    });
  }
}

function incomplete(entity: string, isKeyless: boolean): RecordError {
  return new RecordError({
    code: 'RECORD_INCOMPLETE',
    message: `${entity} record without ${isKeyless ? 'a key' : 'its metadata header'}`,
    hint: 'only processors write canonical topics: find what else does',
  });
}

function absent(entity: string, fields: readonly string[]): RecordError {
  return new RecordError({
    code: 'STEP_INPUT_PARTIAL',
    message: `${entity} record doesn't carry ${fields.map((field) => `"${field}"`).join(', ')}`,
    hint: 'a step needs all fields: let the source send the whole row (REPLICA IDENTITY FULL)',
  });
}
