/** The operators' HTTP server: every call of the list, behind the access check. */
import { Hono } from 'hono';
import type { HttpAddress, HttpSettings } from '../../runtime/http/http-access.ts';
import { HttpListener } from '../../runtime/http/http-listener.ts';
import type { OperatorLog } from '../operators/operator-log.ts';
import { addAccess } from './access.ts';
import { addErrors } from './answers.ts';
import {
  apiHandlers,
  type ApiOptions,
  deadLetterHandlers,
  labHandlers,
  type LabRouteOptions,
  persistenceHandlers,
} from './api.ts';
import { consoleHandlers, type ConsoleRouteOptions, pageHandlers } from './console.ts';
import { eventHandlers, type EventRouteOptions } from './events.ts';
import { documentHandlers } from './openapi.ts';
import { probeHandlers, type ProbeOptions } from './probes.ts';
import { type Handlers, mount } from './routes.ts';

export type HttpOptions = ApiOptions &
  ProbeOptions &
  ConsoleRouteOptions &
  EventRouteOptions &
  LabRouteOptions & {
    /** Tokens, names and certificate. */
    settings: HttpSettings;
    operators: OperatorLog;
    version: string;
  };

/** The handlers must be complete: a call without one does not compile. */
export function appOf(address: HttpAddress, parts: HttpOptions): Hono {
  const app = new Hono();
  addAccess(app, address, parts);
  const handlers: Handlers = {
    ...pageHandlers(),
    ...probeHandlers(parts),
    ...persistenceHandlers(parts),
    ...apiHandlers(parts),
    ...deadLetterHandlers(parts),
    ...consoleHandlers(parts),
    ...eventHandlers(parts),
    ...labHandlers(parts),
    ...documentHandlers(parts),
  };
  mount(app, handlers);
  addErrors(app);
  return app;
}

/**
 * Starts listening.
 * @throws TidemarkError CONFIG_INVALID when the address cannot be bound
 */
export function listen(address: HttpAddress, parts: HttpOptions): Promise<HttpListener> {
  return HttpListener.start(address, parts.settings, appOf(address, parts));
}
