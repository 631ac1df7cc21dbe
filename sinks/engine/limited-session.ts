import { TransientError } from '../../core/errors.ts';
import type { Session } from '../dialects/dialect.ts';

/**
 * A session that starts no further statement once its time is over; the one under way ends by its own limit. Ending the
 * connection instead would leave drivers with a statement that never answers.
 */
export function limited(session: Session, isOver: () => boolean): Session {
  return new Proxy(session, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function') return member;
      return (...args: unknown[]) => {
        if (isOver())
          throw new TransientError({ code: 'TRIAL_GAVE_WAY', message: 'the trial took longer than it may' });
        return member.apply(target, args);
      };
    },
  });
}
