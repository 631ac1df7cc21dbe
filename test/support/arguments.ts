/** For programs beside the tests: words that nobody knows are answered with the usage, and exit code 2. */
export function orUsage<T>(usage: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\nusage: ${usage}\n`);
    process.exit(2);
  }
}
