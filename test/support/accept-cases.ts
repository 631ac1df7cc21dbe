/** `npm run cases:accept`: writes what comes out today as the expectation of every case. Read the diff before you commit it. */
import { writeFileSync } from 'node:fs';
import { compactJson } from './compact-json.ts';
import { runnableStepFiles, runnableTargetFiles } from './run-cases.ts';
import { runnableSourceFiles } from './run-source-cases.ts';

let changed = 0;
for (const { url, file, run } of [...runnableSourceFiles(), ...runnableStepFiles(), ...runnableTargetFiles()]) {
  const before = compactJson(file);
  file.cases.forEach((one, index) => {
    // biome-ignore lint/suspicious/noThenProperty: a word of golden cases, never awaited
    one.then = run(index);
  });
  const after = compactJson(file);
  writeFileSync(url, after);
  if (after !== before) changed += 1;
}
process.stdout.write(`${changed} case files changed\n`);
