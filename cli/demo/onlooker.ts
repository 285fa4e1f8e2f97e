/**
 * The demonstration's own connection to the bus: the worker's status, and reads as a hub makes
 * them.
 */
import type { JsonObject } from '../../contracts/body/json-value.ts';
import type { WorkerStatus } from '../../contracts/status.ts';
import { type Lane, subjects } from '../../contracts/subjects.ts';
import { Bus } from '../../runtime/bus/bus.ts';
import { createLog } from '../../runtime/log.ts';

export const demoHub = 'demo';

export class Onlooker {
  readonly #bus: Bus;

  private constructor(bus: Bus) {
    this.#bus = bus;
  }

  static async connect(servers: string): Promise<Onlooker> {
    return new Onlooker(
      await Bus.connect({ servers, name: 'tidemark-demo' }, createLog('demo', 'error')),
    );
  }

  status(): Promise<WorkerStatus> {
    return this.#bus.request<WorkerStatus>(subjects.control(demoHub, 'status'), {});
  }

  read(lane: Lane, action: string, settings: JsonObject): Promise<JsonObject> {
    return this.#bus.request<JsonObject>(subjects.action(demoHub, lane, action), {
      Settings: settings,
    });
  }

  close(): Promise<void> {
    return this.#bus.close();
  }
}
