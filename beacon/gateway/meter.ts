/**
 * Prometheus metrics of a databeacon: its requests and applies since it started, and which of its
 * databases can be reached now.
 */
import { Counter, Gauge, Histogram, Registry } from '@prometheus-io/client';
import { isJsonObject } from '../../contracts/body/json-value.ts';
import { outcomes } from '../../contracts/mutation.ts';
import type { ConnectionPresence } from '../../contracts/presence.ts';

/**
 * A request that ended. Names are those of the actions there are, `unknown` for others; `outcome`
 * is `ok` or the code of the refusal.
 */
export type Done = {
  capability: string;
  action: string;
  outcome: string;
  seconds: number;
  outputs: unknown;
};

/** An apply takes a database transaction; the worker waits 15 s for it at most. */
const applySeconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15];

export class BeaconMeter {
  readonly #registry = new Registry();
  readonly #requests: Counter<'capability' | 'action' | 'outcome'>;
  readonly #applies: Histogram;
  readonly #rows: Counter<'outcome'>;
  readonly #up: Gauge<'connection' | 'engine'>;
  readonly #connections: () => Promise<readonly ConnectionPresence[]>;

  constructor(
    version: string,
    actions: Readonly<Record<string, object>>,
    connections: () => Promise<readonly ConnectionPresence[]>,
  ) {
    const registers = [this.#registry];
    const name = (word: string) => `tidemark_databeacon_${word}`;
    new Gauge({
      name: name('build_info'),
      help: 'Version of the databeacon; always 1.',
      labelNames: ['version'],
      registers,
    }).set({ version }, 1);
    this.#requests = new Counter({
      name: name('requests_total'),
      help: 'Capability requests answered, by outcome: ok, or the code of the refusal.',
      labelNames: ['capability', 'action', 'outcome'],
      registers,
    });
    this.#applies = new Histogram({
      name: name('apply_duration_seconds'),
      help: 'Time of one DataBeaconBatch.Apply, from request to answer.',
      buckets: applySeconds,
      registers,
    });
    this.#rows = new Counter({
      name: name('rows_total'),
      help: 'Row mutations of DataBeaconBatch.Apply, by outcome; those of a batch that was rolled back too.',
      labelNames: ['outcome'],
      registers,
    });
    this.#up = new Gauge({
      name: name('connection_up'),
      help: '1 while the database of the connection can be reached.',
      labelNames: ['connection', 'engine'],
      registers,
    });
    this.#connections = connections;
    for (const [capability, of] of Object.entries(actions))
      for (const action of Object.keys(of))
        this.#requests.inc({ capability, action, outcome: 'ok' }, 0);
    for (const outcome of outcomes) this.#rows.inc({ outcome }, 0);
  }

  done({ capability, action, outcome, seconds, outputs }: Done): void {
    this.#requests.inc({ capability, action, outcome });
    if (capability !== 'DataBeaconBatch' || action !== 'Apply') return;
    this.#applies.observe(seconds);
    const results =
      isJsonObject(outputs) && Array.isArray(outputs['Results']) ? outputs['Results'] : [];
    for (const [found, group] of Map.groupBy(results, outcomeOf))
      if (found) this.#rows.inc({ outcome: found }, group.length);
  }

  /** The exposition text. */
  async text(): Promise<string> {
    const connections = await this.#connections();
    this.#up.reset();
    for (const { IDBeaconConnection, Engine, Connected } of connections)
      this.#up.set({ connection: String(IDBeaconConnection), engine: Engine }, Number(Connected));
    return this.#registry.metrics();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }
}

/** Null for what was not sent to the database because something else of its batch was refused. */
function outcomeOf(result: unknown): string | null {
  const outcome = isJsonObject(result) ? result['Outcome'] : null;
  return outcomes.find((one) => one === outcome) ?? null;
}
