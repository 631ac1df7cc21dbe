import pc from 'picocolors';
import type { DayReport } from './report.ts';

export function summaryText(report: DayReport): string {
  const mark = (holds: boolean) => (holds ? pc.green('✔') : pc.red('✘'));
  const { flow, latencyMs } = report;
  const rows = Object.values(report.targets).reduce((sum, target) => sum + target.rows, 0);
  const differences = Object.values(report.targets).reduce((sum, target) => sum + target.differences, 0);
  const lines = [
    '',
    pc.bold('The proof'),
    `${mark(differences === 0)} ${rows} rows in ${Object.keys(report.targets).length} systems compared with their sources, ${differences} differ`,
    `${mark(report.stockAccuracyPercent === 100)} stock is right to the unit in ${report.stockAccuracyPercent} % of ${report.stockPositions} positions`,
    `${mark(report.pointsWithin2sPercent >= 99)} ${report.pointsWithin2sPercent} % of points on the member's record within 2 s (p50 ${latencyMs.p50} ms, p99 ${latencyMs.p99} ms, max ${latencyMs.max} ms)`,
    `${mark(Object.values(flow).every((count) => count > 0))} ${flow.orders} orders → ${flow.plans} plans completed → ${flow.shipments} shipments → ${flow.invoices} invoices, no person in between`,
    `${mark(report.echoesCirculating === 0)} ${report.echoesDropped} echoes dropped, ${report.echoesCirculating} circulating`,
  ];
  for (const { table, key, kind } of report.differences) lines.push(`    ${kind} ${table} ${key}`);
  for (const [where, records] of Object.entries(report.setAside)) lines.push(`  set aside: ${where}: ${records}`);
  lines.push(
    pc.dim(
      `seconds: ${Object.entries(report.seconds)
        .map(([name, value]) => `${name} ${value}`)
        .join(', ')}`,
    ),
    '',
  );
  return lines.join('\n');
}
