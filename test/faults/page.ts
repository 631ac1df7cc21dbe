/** docs/faults.md, written by a run: no figure on it is typed by hand. */
import { availableParallelism, loadavg } from 'node:os';
import versions from '../../stack/versions.json' with { type: 'json' };
import type { Outcome } from './harness.ts';
import type { Row } from './row.ts';

export type FaultRun = {
  readonly seed: number;
  readonly startedAt: string;
  readonly minutes: number;
  readonly patience: number;
  readonly outcomes: readonly Outcome[];
};

const INTRODUCTION = `<!-- Written by \`npm run faults -- --all --page docs/faults.md\`: never edited. -->
# Faults

What Seam is put through, on real servers, while the retail chain trades: each row does one kind of damage, proves from outside that
it happened, waits until changes arrive everywhere again, and then compares contents. Counts prove nothing here.

\`\`\`
npm run faults                          # the short selection, as in CI
npm run faults -- --all                 # everything
npm run faults -- --only F7 --seed 42   # one row, with the choices of that seed
npm run soak -- --hours 0.5             # random pairs of faults, one pair a minute
\`\`\`

A failed row prints what was found and the command that repeats it. Logs of the last chain stay in \`.seam/faults/logs\`.

## What is checked after every row

| | criterion | how |
|---|---|---|
| C1 | nothing lost | \`verify\` compares every target with its sources twice, seconds apart; a writer's own journal (intent, acknowledged, refused, unknown) is compared with the source and, by plain SQL, with the targets |
| C2 | no double effect | stock of every store and product = opening + corrections − sales; points of every member = the sum of the entries; no transaction is open in Kafka |
| C3 | order | triggers in every target write each version of each key down: none goes back, no lease goes back; a reader of committed records finds each key's positions rising in the canonical topics |
| C4 | nothing comes back | no key leaves the ledger, none is there again at the position of its deletion |
| C5 | set aside is what was injected | dead letters and parked records are exactly the injected ones |
| C6 | recovery | from the end of the cause (a killed worker: from its death) until a sale, a price and a member's name, written then, have arrived in four databases |
| C7 | not vacuous | the fault was seen from outside; at least 1,000 canonical records in the row, and progress between its parts |
| C8 | fail loud | where completeness cannot be proven, it stops and says so |

Before the first row the checker itself is tried: damage of every kind is done by hand in the targets and topics, and each must be found.

Network faults are made by TCP proxies on every link between workers, Connect, Kafka, registry and databases, so that no right on the
machine is needed. Lost packets are made as TCP shows them to a program: pieces that come late by a retransmission. Full disks need the
right to mount small volumes; a row whose means are missing says so, and counts as not passed.
`;

export function page(run: FaultRun, rows: readonly Row[]): string {
  const passed = run.outcomes.filter(({ verdict }) => verdict === 'passed').length;
  const software = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  const patience = run.patience === 1 ? '' : `, all limits of recovery × ${run.patience} (the machine was shared)`;
  return [
    INTRODUCTION,
    '\n## The last run that wrote this page\n\n',
    `${passed} of ${rows.length} rows passed, ${rows.length - run.outcomes.length} were not run. Seed ${run.seed}, ${run.startedAt.slice(0, 10)}, ${Math.round(run.minutes)} minutes, `,
    `${availableParallelism()} cores, load ${loadavg()[2]?.toFixed(0)}${patience}. `,
    `Node ${process.versions.node}; ${software.join(', ')}.\n\n`,
    '| row | fault | verdict | flowed again after | limit | canonical records | writes acknowledged + unknown | versions audited |\n',
    '|---|---|---|---|---|---|---|---|\n',
    ...rows.map((row) => resultLine(row, run)),
    '\n## The rows\n',
    ...rows.map((row) => rowText(row, run)),
  ].join('');
}

function resultLine({ id, title }: Row, { outcomes }: FaultRun): string {
  const outcome = outcomes.find((one) => one.id === id);
  if (outcome === undefined) return `| ${id} | ${title} | not run | | | | | |\n`;
  const { verdict, recoveryMs, recoversWithinMs, records, writes, unknownWrites, checked } = outcome;
  const recovery = recoveryMs === null ? '' : `${(recoveryMs / 1000).toFixed(1)} s`;
  const versionsAudited = checked === null ? '' : String(checked.versionsAudited);
  const limit = `${recoversWithinMs / 1000} s`;
  return `| ${id} | ${title} | ${verdict} | ${recovery} | ${limit} | ${records} | ${writes} + ${unknownWrites} | ${versionsAudited} |\n`;
}

function rowText({ id, title, does, proof }: Row, { outcomes }: FaultRun): string {
  const outcome = outcomes.find((one) => one.id === id);
  const seen = (outcome?.proofs ?? []).map((one) => `- ${one.replaceAll('|', '\\|')}\n`).join('');
  const found = (outcome?.findings ?? []).map(({ criterion, what }) => `- ${criterion}: ${what}\n`).join('');
  return [
    `\n### ${id} ${title}\n\n${does}\nCounts when: ${proof}.\n`,
    seen === '' ? '' : `\nSeen:\n\n${seen}`,
    found === '' ? '' : `\nFound:\n\n${found}`,
  ].join('');
}
