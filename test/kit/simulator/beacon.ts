/**
 * A simulated databeacon: answers capability requests over one database, says that it is there, can
 * be away, slow, forgetful and a liar.
 */
import {
  type ApplyOutputs,
  type ApplySettings,
  capabilities,
  type ProxySettings,
  type StoredMark,
} from '../../../contracts/capability.ts';
import { limits } from '../../../contracts/limits.ts';
import type { Presence } from '../../../contracts/presence.ts';
import type { Scalar, TableName } from '../../../contracts/schema.ts';
import type { Lane } from '../../../contracts/subjects.ts';
import { type Backup, SimDatabase } from './database.ts';

export type BeaconKind = 'batch' | 'proxy';

/** What the world is told by its parts. */
export type Witness = { note: (line: string) => void; violate: (what: string) => void };

const endpointBase = '/1.0/c1/';

export class SimBeacon {
  readonly id: string;
  readonly kind: BeaconKind;
  readonly database: SimDatabase;
  readonly #witness: Witness;
  /** Owners of the hub, in the order in which they began. */
  owners: readonly string[] = [];
  isUp = true;
  backups: Backup[] = [];
  #starts = 1;
  readonly #last = new Map<Lane, ApplyOutputs>();
  /** Lane -> how often the database had travelled by the mark that its worker was last told. */
  readonly #asked = new Map<Lane, number>();

  constructor(id: string, kind: BeaconKind, witness: Witness) {
    this.id = id;
    this.kind = kind;
    this.database = new SimDatabase(`store-${id}-1`);
    this.#witness = witness;
  }

  /** New at every start; what was on its way to the one before is lost. */
  get nonce(): string {
    return `${this.id}-${this.#starts}`;
  }

  /** The process ends and comes again. */
  restart(): void {
    this.#starts += 1;
    this.#last.clear();
    this.#asked.clear();
  }

  presence(): Presence {
    const offered = [
      capabilities.proxy,
      capabilities.schema,
      capabilities.management,
      capabilities.access,
    ];
    return {
      BeaconID: this.id,
      Status: 'Online',
      Nonce: this.nonce,
      HubSubjects: true,
      Tags: {},
      Capabilities: this.kind === 'batch' ? [capabilities.batch, ...offered] : offered,
      Connections: [
        {
          IDBeaconConnection: 1,
          Name: 'c1',
          Engine: 'sqlite',
          Connected: true,
          StoreID: this.database.storeId,
        },
      ],
    };
  }

  /** The worker has the mark as it was after so many travels. */
  told(lane: Lane, travels: number): void {
    this.#asked.set(lane, travels);
  }

  /** Outputs of one request; `isPrompt` when the worker waits for them, and it is no repeat. */
  answer(action: string, settings: Record<string, unknown>, isPrompt: boolean): object {
    switch (action) {
      case 'Apply':
        return this.#apply(settings as unknown as ApplySettings, isPrompt);
      case 'Mark': {
        const lane = settings['Lane'] as Lane;
        return { Mark: this.database.mark(lane), StoreID: this.database.storeId };
      }
      case 'Request':
        return this.#request(settings as unknown as ProxySettings);
      case 'EnsureSchema':
        return {
          Success: true,
          TablesCreated: [],
          ColumnsAdded: [],
          IndicesCreated: [],
          StoreID: this.database.storeId,
        };
      case 'EnableEndpoint':
        return {
          TableName: settings['TableName'],
          EndpointBase: `${endpointBase}${String(settings['TableName'])}`,
          ColumnCount: 1,
        };
      default:
        return { Success: true, TableCount: 0, Tables: [] };
    }
  }

  /**
   * The answer to another batch of the lane: nothing of this one is done. Null when there was none.
   */
  stale(lane: Lane): ApplyOutputs | null {
    return this.#last.get(lane) ?? null;
  }

  #apply(settings: ApplySettings, isPrompt: boolean): ApplyOutputs {
    if (settings.Mutations.length > limits.deliverEntriesMax)
      this.#witness.violate(
        `I9: a batch of ${settings.Mutations.length} mutations, at most ${limits.deliverEntriesMax}`,
      );
    if (isPrompt && this.#asked.get(settings.Lane) === this.database.travels)
      this.database.unreported.delete(settings.Lane);
    const before = this.database.mark(settings.Lane);
    const outputs = this.database.apply(settings);
    this.#insistOnOrder(settings, before, outputs);
    this.#witness.note(
      `  ${this.id} ${settings.Lane} applied ` +
        `${outputs.Results.map((one) => one.Outcome[0]).join('')} ` +
        (outputs.IsCommitted ? 'committed' : 'not committed'),
    );
    this.#last.set(settings.Lane, outputs);
    return outputs;
  }

  /** I11: nothing of an earlier owner takes effect behind a later one. */
  #insistOnOrder(
    { Owner = '', Mutations }: ApplySettings,
    before: StoredMark | null,
    { IsCommitted, Results }: ApplyOutputs,
  ): void {
    const [sender, owner] = [Owner, before?.Owner ?? ''].map((one) => this.owners.indexOf(one));
    if (!IsCommitted || (sender ?? 0) >= (owner ?? 0)) return;
    this.#witness.violate(
      `I11: ${this.id} took ${Results.length} of ${Mutations.length} writes of an earlier owner ` +
        'behind a later one',
    );
  }

  /** The same again at once must change nothing (I8). */
  again(settings: ApplySettings): void {
    const before = this.database.fingerprint();
    this.database.apply(settings);
    if (this.database.fingerprint() !== before)
      this.#witness.violate(
        `I8: ${this.id} took a batch of lane ${settings.Lane} a second time and changed`,
      );
  }

  #request({ Method, Path, Body }: ProxySettings): object {
    const [table = ''] = Path.slice(endpointBase.length).split('/');
    const columns = Body === undefined ? {} : (JSON.parse(Body) as Record<string, Scalar>);
    if (Method === 'GET') {
      const terms = [...Path.matchAll(/FBV~([^~]+)~EQ~([^~/]*)/g)].map(
        (match) => [match[1] ?? '', decodeURIComponent(match[2] ?? '')] as const,
      );
      return {
        Status: 200,
        Headers: {},
        Body: JSON.stringify(this.database.select(table.slice(0, -1) as TableName, terms)),
      };
    }
    const status =
      Method === 'POST'
        ? this.database.insert(table as TableName, columns)
        : this.database.update(table as TableName, columns);
    if (status !== 200) this.#witness.note(`  ${this.id} ${Method} answered ${status}`);
    return {
      Status: status,
      Headers: {},
      Body: JSON.stringify(
        status === 200 ? columns : { Error: status === 409 ? 'unique' : 'refused by the script' },
      ),
    };
  }
}
