/** JSON as a person writes it: what fits on a line stays on one. The formatter leaves this form alone. */
const WIDTH = 120;
const STEP = '  ';

export function compactJson(value: unknown): string {
  return `${print(value, '', 0)}\n`;
}

function print(value: unknown, indent: string, used: number): string {
  const oneLine = flat(value);
  if (value === null || typeof value !== 'object' || oneLine.length + indent.length + used <= WIDTH) return oneLine;
  const inner = indent + STEP;
  const comma = (index: number, count: number) => (index < count - 1 ? 1 : 0);
  if (Array.isArray(value)) {
    const items = value.map((item, index) => inner + print(item, inner, comma(index, value.length)));
    return `[\n${items.join(',\n')}\n${indent}]`;
  }
  const entries = Object.entries(value);
  const members = entries.map(([name, item], index) => {
    const label = `${JSON.stringify(name)}: `;
    return inner + label + print(item, inner, label.length + comma(index, entries.length));
  });
  return `{\n${members.join(',\n')}\n${indent}}`;
}

function flat(value: unknown): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(flat).join(', ')}]`;
  const members = Object.entries(value).map(([name, item]) => `${JSON.stringify(name)}: ${flat(item)}`);
  return members.length === 0 ? '{}' : `{ ${members.join(', ')} }`;
}
