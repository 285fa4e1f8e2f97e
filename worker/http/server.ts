/** The operators' HTTP server: which routes there are, behind the gate. */
import { Hono } from 'hono';
import type { HttpAddress, HttpSettings } from '../../runtime/http/http-access.ts';
import { HttpListener } from '../../runtime/http/http-listener.ts';
import type { OperatorLog } from '../operators/operator-log.ts';
import { addAccess } from './access.ts';
import { addErrors } from './answers.ts';
import { addApi, addPersistence, type ApiOptions } from './api.ts';
import { addConsole, addPage, type ConsoleRouteOptions } from './console.ts';
import { addLab, type LabRouteOptions } from './lab.ts';
import { addOpenApi } from './openapi.ts';
import { addProbes, type ProbeOptions } from './probes.ts';

export type HttpOptions = ApiOptions &
  ProbeOptions &
  ConsoleRouteOptions &
  LabRouteOptions & {
    /** Tokens, names and certificate. */
    settings: HttpSettings;
    operators: OperatorLog;
    version: string;
  };

/** All routes, behind the gate. */
export function appOf(address: HttpAddress, parts: HttpOptions): Hono {
  const app = new Hono();
  addAccess(app, address, parts);
  addPage(app);
  addProbes(app, parts);
  addPersistence(app, parts);
  addApi(app, parts);
  addConsole(app, parts);
  addLab(app, parts);
  addOpenApi(app, parts);
  addErrors(app);
  return app;
}

/** Listens. @throws TidemarkError CONFIG_INVALID when the address cannot be bound */
export function listen(address: HttpAddress, parts: HttpOptions): Promise<HttpListener> {
  return HttpListener.start(address, parts.settings, appOf(address, parts));
}
