/** Named places where a test lets the process die, to show that nothing is lost or done twice. */
export type CrashPoint = 'before-lock' | 'after-lock' | 'after-plan' | 'after-rows' | 'before-commit' | 'after-commit';

export type Hooks = { readonly at: (point: CrashPoint) => void | Promise<void> };

export const noHooks: Hooks = { at: () => undefined };
