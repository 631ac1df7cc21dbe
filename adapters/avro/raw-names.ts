/**
 * Names on the wire → names in the database. Where a source has names that Avro doesn't take, its connector spells all names by
 * `avro_unicode` (ops/operations/connector-settings.ts): `_u005f` for each `_`, and the number of each other character. A number may have three
 * digits or four, so the spelling alone does not say where it ends (`č1` and a Georgian letter are both `_u10d1`): the schema of a value also
 * says the column's own name, and that of a key is read with its help.
 */
const SOURCE_NAME = '__debezium.source.column.name';

export function sourceNameOf(parameters: Readonly<Record<string, string>> | undefined): string | undefined {
  return parameters?.[SOURCE_NAME];
}

const ESCAPED_UNDERSCORE = /_u005f/g;
const WHOLLY_ESCAPED = /^(?:[^_]|_u005f)*$/;

/** Of a name whose only escapes are underscores; any other stays as it is. */
export function plainName(name: string): string {
  return WHOLLY_ESCAPED.test(name) ? name.replaceAll(ESCAPED_UNDERSCORE, '_') : name;
}

const ESCAPE = /_u([0-9a-f]{4}|[0-9a-f]{3})/g;
const UNICODE = /^(?:[^_]|_u[0-9a-f]{3})*$/;

/** No name of a database that Avro takes looks so, or next to none: an escape in front, or one of four digits. */
const SURELY_ESCAPED = /^_u[0-9a-f]{3}|_u00[0-9a-f]{2}/;

/** The likely name, where no value said it. */
export function unescapedName(name: string): string {
  if (!UNICODE.test(name) || !SURELY_ESCAPED.test(name)) return name;
  return name.replaceAll(ESCAPE, (_, digits: string) => {
    const isLonger = digits.length === 4 && isWholeNumber(digits);
    return isLonger || digits.length === 3
      ? String.fromCharCode(Number.parseInt(digits, 16))
      : String.fromCharCode(Number.parseInt(digits.slice(0, 3), 16)) + digits.slice(3);
  });
}

/** Latin with marks, Greek and Cyrillic have numbers of three digits: four that begin as theirs do are two things. */
function isWholeNumber(digits: string): boolean {
  return !/^(?:1|2[0-4]|3[7-f]|4[0-d])/.test(digits);
}

/** A topic's name as it stands in the namespace of a schema, by either spelling. */
export function namespaceTopic(namespace: string): string {
  let name = namespace;
  while (name.includes('_u005f')) name = name.replaceAll(ESCAPED_UNDERSCORE, '_');
  return name.replaceAll('_u002d', '_');
}
