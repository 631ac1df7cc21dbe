/** Debezium's lists of tables and columns: regular expressions for whole names, separated by commas. */
export function isInList(list: string | undefined): (name: string) => boolean {
  const patterns = (list ?? '').split(/(?<!\\),/).filter((pattern) => pattern.trim() !== '');
  const expressions = patterns.map((pattern) => new RegExp(`^(?:${pattern.trim()})$`, 'i'));
  return (name) => expressions.some((expression) => expression.test(name));
}
