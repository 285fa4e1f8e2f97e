/** The probes for orchestrators and load balancers: alive, ready, and health in detail. */
import type { Handlers } from './routes.ts';

export type ProbeOptions = {
  /** Why a write sent now would not be accepted; null when it would. */
  unready: () => string | null;
  health: () => object;
};

export function probeHandlers(parts: ProbeOptions): Pick<Handlers, 'livez' | 'readyz' | 'healthz'> {
  return {
    livez: ({ context }) => context.text('ok'),
    readyz: ({ context }) => {
      const reason = parts.unready();
      return reason === null ? context.text('ok') : context.text(reason, 503);
    },
    healthz: ({ context }) => context.json(parts.health(), 200, { 'Cache-Control': 'no-store' }),
  };
}
