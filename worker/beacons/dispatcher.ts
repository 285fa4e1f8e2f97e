/** One capability request to one beacon: its subject, its deadline, its Outputs. */
import {
  capabilities,
  type CapabilityReply,
  legacyCapabilities,
} from '../../contracts/capability.ts';
import { TidemarkError } from '../../contracts/errors.ts';
import { isJsonObject } from '../../contracts/body/json-value.ts';
import { limits } from '../../contracts/limits.ts';
import { subjects } from '../../contracts/subjects.ts';
import type { Bus } from '../../runtime/bus/bus.ts';
import type { Packed } from '../../runtime/bus/requester.ts';
import { traceHeaders } from '../../runtime/trace.ts';

/** Those of databeacons by their role, the legacy ones by their lane. */
const names = { ...capabilities, ...legacyCapabilities };

export type Capability = keyof typeof names;

export class Dispatcher {
  readonly #bus: Bus;
  readonly #hubOf: (beacon: string) => string | null;

  /** @param hubOf the hub that requests to a beacon name; null where it hears no such subjects */
  constructor(bus: Bus, hubOf: (beacon: string) => string | null) {
    this.#bus = bus;
    this.#hubOf = hubOf;
  }

  /**
   * Asks a beacon and returns its Outputs.
   * @throws TidemarkError UNAVAILABLE when it does not answer in time, else the code the beacon
   * refused with
   */
  send<Outputs>(
    beacon: string,
    capability: Capability,
    action: string,
    settings: object,
    timeoutMs: number = limits.capabilityMs,
  ): Promise<Outputs> {
    return this.sendPacked<Outputs>(
      beacon,
      capability,
      action,
      this.pack(settings, timeoutMs),
      timeoutMs,
    );
  }

  /** The bytes of a request, made ahead of sending it. */
  pack(
    settings: object,
    timeoutMs: number = limits.capabilityMs,
    { hasLongText = false }: { hasLongText?: boolean } = {},
  ): Packed {
    // What comes from the journal is JSON already, and V8 writes it faster than a library writes
    // MessagePack. But long text within JSON has each quote escaped: a manifest of 52 MiB was over
    // 64 MiB on its way.
    return this.#bus.pack(
      { Settings: settings, TimeoutMs: timeoutMs },
      {
        encoding: hasLongText ? 'msgpack' : 'json',
        zipAboveBytes: limits.gzipToBeaconAboveBytes,
      },
    );
  }

  /** Sends what was packed; throws as `send` does. */
  async sendPacked<Outputs>(
    beacon: string,
    capability: Capability,
    action: string,
    packed: Packed,
    timeoutMs: number = limits.capabilityMs,
  ): Promise<Outputs> {
    const hub = this.#hubOf(beacon);
    const subject = subjects.capability(beacon, names[capability], action, hub);
    const chunkSubject = subjects.capability(beacon, names[capability], 'chunk', hub);
    const reply = await this.#bus.send<CapabilityReply<Outputs>>(subject, packed, {
      timeoutMs,
      chunkSubject,
      headers: traceHeaders(),
    });
    if (!isJsonObject(reply) || !isJsonObject(reply.Outputs))
      throw new TidemarkError('UNAVAILABLE', `${subject}: answered without Outputs`);
    return reply.Outputs;
  }
}
