/** Every check of a MariaDB source. */
import type { SourceCheck } from '../check.ts';
import { cascadeRules } from './cascade-rules.ts';
import { logKept, logSettings } from './log-settings.ts';
import { lostChanges } from './lost-changes.ts';
import { tableShapes } from './table-shapes.ts';

export const mariadbChecks: readonly SourceCheck[] = [logSettings, logKept, tableShapes, cascadeRules, ...lostChanges];
