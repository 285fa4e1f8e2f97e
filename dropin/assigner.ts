/** Assigns a database to the hub, by the name it gives or by the one that is meant. */
import { systemStamps } from '../contracts/client/stamps.ts';
import { messageOf } from '../contracts/errors.ts';
import type { JsonObject } from '../contracts/body/json-value.ts';
import { limits } from '../contracts/limits.ts';
import { services } from '../contracts/subjects.ts';
import type { BridgeReply } from './envelopes.ts';
import type { Link } from './link.ts';
import type { StatusCache } from './status.ts';

/** The hub names a beacon anew at each registration: `bcn-<name>-<ms>`. */
const hubsName = /^bcn-(.+)-\d+$/;

export class Assigner {
  readonly #link: Link;
  readonly #status: StatusCache;
  readonly #tryMs: number;
  /** The one before: they are made in the order they were called. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(link: Link, status: StatusCache, tryMs: number) {
    this.#link = link;
    this.#status = status;
    this.#tryMs = tryMs;
  }

  /** @param beaconId null takes the assignment back */
  assign(beaconId: string | null, connection: number): Promise<BridgeReply> {
    const assigned = this.#last.then(() =>
      beaconId === null ? this.#ask('clear', {}) : this.#assign(beaconId, connection),
    );
    this.#last = assigned;
    return assigned;
  }

  async #assign(given: string, IDBeaconConnection: number): Promise<BridgeReply> {
    const inside = hubsName.exec(given)?.[1];
    const BeaconID = inside === undefined ? given : await this.#ownName(given, inside);
    const reply = await this.#ask('assign', { BeaconID, IDBeaconConnection });
    if (BeaconID === given) void this.#checkName(given);
    return reply;
  }

  /** The databeacon that a name of the hub's means: the one of that name, or the only one. */
  async #ownName(given: string, inside: string): Promise<string> {
    const endMs = systemStamps.nowMs() + this.#tryMs;
    let names = await this.#beaconNames();
    // A bridge that was only made now has no bus yet.
    while (names === null && systemStamps.nowMs() < endMs) {
      await systemStamps.sleep(limits.dropinProbeMs);
      names = await this.#beaconNames();
    }
    if (names === null || names.includes(given)) return given;
    if (names.includes(inside)) return inside;
    return names.length === 1 ? (names[0] as string) : given;
  }

  async #checkName(given: string): Promise<void> {
    const names = await this.#beaconNames();
    if (names === null || names.includes(given)) return;
    const there = names.length === 0 ? 'there is none' : `there are: ${names.join(', ')}`;
    this.#status.unknownBeacon(given, `no databeacon is named ${given}; ${there}`);
  }

  #beaconNames(): Promise<string[] | null> {
    return this.#link.named(services.beacon, 'BeaconID').catch(() => null);
  }

  async #ask(verb: string, body: JsonObject): Promise<BridgeReply> {
    const endMs = systemStamps.nowMs() + this.#tryMs;
    for (;;) {
      try {
        const reply = await this.#link.control(verb, body);
        if (reply['Success'] === true) this.#status.take(reply);
        else this.#link.refresh();
        return { Available: true, Success: reply['Success'] === true, ...reply };
      } catch (error) {
        if (systemStamps.nowMs() > endMs) {
          this.#link.refresh();
          const Reason = `the assignment was not made: ${messageOf(error)}`;
          return { Available: false, Success: false, Reason };
        }
      }
      await systemStamps.sleep(limits.dropinProbeMs);
    }
  }
}
