/** What orchestrators and load balancers ask: alive, ready, and health in detail. */
import type { Hono } from 'hono';

export type ProbeOptions = {
  /** Why a write sent now would not be accepted; null when it would. */
  unready: () => string | null;
  health: () => object;
};

export function addProbes(app: Hono, parts: ProbeOptions): void {
  app.get('/livez', (context) => context.text('ok'));
  app.get('/readyz', (context) => {
    const reason = parts.unready();
    return reason === null ? context.text('ok') : context.text(reason, 503);
  });
  app.get('/healthz', (context) =>
    context.json(parts.health(), 200, { 'Cache-Control': 'no-store' }),
  );
}
