/**
 * Values as the database itself prints them. It is asked for many at once; where one of them is none of the type, the parts are asked for
 * alone, and that one stays as it is: a sink could not have written it either.
 */
export async function spelledBy(
  values: readonly string[],
  ask: (part: readonly string[]) => Promise<readonly string[] | undefined>,
): Promise<readonly string[]> {
  const found = await ask(values);
  if (found !== undefined) return found;
  if (values.length <= 1) return values;
  const middle = Math.ceil(values.length / 2);
  const left = await spelledBy(values.slice(0, middle), ask);
  return [...left, ...(await spelledBy(values.slice(middle), ask))];
}
