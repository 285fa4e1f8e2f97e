/**
 * Sends a capability request to a beacon: builds its subject, sets its deadline, returns its
 * Outputs. A request to a beacon whose successor has announced itself is given up.
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
import type { BeaconDirectory } from './directory.ts';

/** Capabilities of databeacons by role, and of legacy beacons by lane. */
const names = { ...capabilities, ...legacyCapabilities };

export type Capability = keyof typeof names;

export class Dispatcher {
  readonly #bus: Bus;
  readonly #directory: Pick<BeaconDirectory, 'hubFor' | 'find' | 'watch'>;

  constructor(bus: Bus, directory: Pick<BeaconDirectory, 'hubFor' | 'find' | 'watch'>) {
    this.#bus = bus;
    this.#directory = directory;
  }

  /**
   * Sends a request to a beacon and returns its Outputs.
   * @throws TidemarkError UNAVAILABLE when it does not answer in time, or its successor announces
   * itself first: the outcome is then unknown; otherwise the code of its refusal
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
    const hub = this.#directory.hubFor(beacon);
    const subject = subjects.capability(beacon, names[capability], action, hub);
    const chunkSubject = subjects.capability(beacon, names[capability], 'chunk', hub);
    const asked = this.#bus.send<CapabilityReply<Outputs>>(subject, packed, {
      timeoutMs,
      chunkSubject,
      headers: traceHeaders(),
    });
    const reply = await this.#unlessSucceeded(beacon, subject, asked);
    if (!isJsonObject(reply) || !isJsonObject(reply.Outputs))
      throw new TidemarkError('UNAVAILABLE', `${subject}: answered without Outputs`);
    return reply.Outputs;
  }
  /**
   * The answer, unless the beacon's successor announces itself first: it knows nothing of a request
   * to a process that is gone. A beacon that ends in order may still answer, but then its successor
   * is asked again, as after a time-out.
   */
  async #unlessSucceeded<T>(beacon: string, subject: string, asked: Promise<T>): Promise<T> {
    const nonce = this.#directory.find(beacon)?.Nonce ?? '';
    // Without a Nonce a beacon cannot be distinguished from its successor.
    if (nonce === '') return asked;
    const { promise: succeeded, reject } = Promise.withResolvers<never>();
    const unwatch = this.#directory.watch(beacon, () => {
      const now = this.#directory.find(beacon)?.Nonce ?? '';
      if (now === '' || now === nonce) return;
      reject(new TidemarkError('UNAVAILABLE', `${subject}: ${beacon} was started again meanwhile`));
    });
    try {
      return await Promise.race([asked, succeeded]);
    } finally {
      unwatch();
    }
  }
}
