/**
 * Whether a fronted server is up: its connections are fetched for every presence message, and again
 * as soon as a request gets no answer.
 */
import { messageOf } from '../../contracts/errors.ts';
import { isJsonObject } from '../../contracts/body/json-value.ts';
import type { ConnectionPresence } from '../../contracts/presence.ts';
import { newUuid } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import { bounds } from '../bounds.ts';
import type { FrontClient } from './front-client.ts';
import { engineOf } from './front-schema.ts';

export class FrontHealth {
  readonly #client: FrontClient;
  readonly #log: Log;
  #connections: ConnectionPresence[] = [];
  #isThere: boolean | null = null;
  #nonce = newUuid();

  constructor(client: FrontClient, log: Log) {
    this.#client = client;
    this.#log = log;
  }

  /** Changes whenever the server was away, because it loses what it keeps in memory. */
  get nonce(): string {
    return this.#nonce;
  }

  get isThere(): boolean {
    return this.#isThere === true;
  }

  get connections(): ConnectionPresence[] {
    return this.#connections;
  }

  /** Asks the server. Never throws. */
  async look(): Promise<boolean> {
    let reason = '';
    try {
      const { Connections: rows } = await this.#client.manage(
        'GET',
        '/beacon/connections',
        bounds.checkMs,
      );
      if (Array.isArray(rows)) this.#connections = rows.flatMap((row) => connectionOf(row) ?? []);
      else reason = 'its connections are not a list; is it a retold-databeacon?';
    } catch (error) {
      reason = messageOf(error);
    }
    this.#turn(reason);
    return reason === '';
  }

  #turn(reason: string): void {
    const isThere = reason === '';
    if (!isThere)
      this.#connections = this.#connections.map((one) => ({ ...one, Connected: false }));
    if (isThere === this.#isThere) return;
    if (isThere && this.#isThere === false) this.#nonce = newUuid();
    this.#isThere = isThere;
    if (isThere)
      this.#log.info(
        { server: this.#client.label, connections: this.#connections },
        'the fronted databeacon is up',
      );
    else this.#log.warn({ server: this.#client.label, reason }, 'the fronted databeacon is away');
  }
}

function connectionOf(row: unknown): ConnectionPresence | null {
  if (!isJsonObject(row)) return null;
  const id = Number(row['IDBeaconConnection']);
  if (!Number.isSafeInteger(id) || id < 1) return null;
  const isConnected = row['Connected'] === true || row['Connected'] === 1;
  return {
    IDBeaconConnection: id,
    Name: String(row['Name'] ?? ''),
    Engine: engineOf(row['Type']),
    Connected: isConnected,
    StoreID: '',
  };
}
