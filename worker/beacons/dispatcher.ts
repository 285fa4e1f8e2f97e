/**
 * Sends a capability request to a beacon: builds its subject, sets its deadline, returns its
 * Outputs.
 */
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

/** Capabilities of databeacons by role, and of legacy beacons by lane. */
const names = { ...capabilities, ...legacyCapabilities };

export type Capability = keyof typeof names;

export class Dispatcher {
  readonly #bus: Bus;
  readonly #hubOf: (beacon: string) => string | null;

  /** @param hubOf the hub to name in the subject; null for a beacon without hub subjects */
  constructor(bus: Bus, hubOf: (beacon: string) => string | null) {
    this.#bus = bus;
    this.#hubOf = hubOf;
  }

  /**
   * Sends a request to a beacon and returns its Outputs.
   * @throws TidemarkError UNAVAILABLE when it does not answer in time; otherwise the code of its
   * refusal
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

  /** Encodes a request ahead of sending it. */
  pack(
    settings: object,
    timeoutMs: number = limits.capabilityMs,
    { hasLongText = false }: { hasLongText?: boolean } = {},
  ): Packed {
    // Entries in the journal are already JSON, and V8 writes it faster than a library writes
    // MessagePack. Long text is the exception: JSON escapes each quote, and so a manifest of 52 MiB
    // grew to over 64 MiB.
    return this.#bus.pack(
      { Settings: settings, TimeoutMs: timeoutMs },
      {
        encoding: hasLongText ? 'msgpack' : 'json',
        zipAboveBytes: limits.gzipToBeaconAboveBytes,
      },
    );
  }

  /** Sends a packed request; throws as `send` does. */
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
