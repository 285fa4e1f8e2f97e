/**
 * The second implementation of the carrier seam: the simulator's database, which does what a test
 * says: refuses entries, loses answers, fails, is restored from a backup. An entry is known by the
 * field `F<number>` it carries.
 */
import type {
  ApplyOutputs,
  ApplySettings,
  MarkOutputs,
  StoredMark,
} from '../../../contracts/capability.ts';
import { TidemarkError } from '../../../contracts/errors.ts';
import type { MutationResult, RowMutation } from '../../../contracts/mutation.ts';
import type { Scalar, TableName } from '../../../contracts/schema.ts';
import type { CarrierName } from '../../../contracts/status.ts';
import { lanes } from '../../../contracts/subjects.ts';
import { nextTurn } from '../../../runtime/clock.ts';
import { type Backup, type Effect, SimDatabase } from '../simulator/database.ts';
import type { Carrier, Delivered, Delivery } from '../../../worker/replay/carrier.ts';

/** A mutation that has no batch and no mark. */
const alone = {
  IDBeaconConnection: 1,
  HubID: 'hub1',
  Epoch: '',
  Lane: 'queue',
  ThroughSeq: 0,
  IsBelowMark: true,
} as const;

type Columns = Record<string, Scalar>;
export type Fault = 'lose' | 'fail';

/** Numbers of the entries a mutation stands for. */
function namesOf(mutation: RowMutation): number[] {
  const extra: unknown =
    mutation.Merge?.['Extra'] ?? JSON.parse(String(mutation.Set['Extra'] ?? '{}'));
  return Object.keys(extra as object)
    .filter((name) => /^F\d+$/.test(name))
    .map((name) => Number(name.slice(1)));
}

export class ModelDatabase {
  /** What the next deliveries meet: `lose` applies and loses the answer, `fail` does nothing. */
  readonly faults: Fault[] = [];
  /** Deliveries as they came, by the entries in them. */
  readonly calls: { names: number[]; throughSeq: number; isBelowMark: boolean }[] = [];
  readonly #rows: SimDatabase;

  constructor(storeId = 'store-1') {
    this.#rows = new SimDatabase(storeId);
  }

  /** Entries it refuses, until they are taken out. */
  get refused(): Set<number> {
    return this.#rows.refused;
  }

  /** Writes that took effect, in order: what I7 is checked on. */
  get effects(): readonly Effect[] {
    return this.#rows.effects;
  }

  get storeId(): string {
    return this.#rows.storeId;
  }

  set storeId(storeId: string) {
    this.#rows.storeId = storeId;
  }

  /** Only one lane is delivered to it. */
  get mark(): StoredMark | null {
    return lanes.map((lane) => this.#rows.mark(lane)).find((mark) => mark !== null) ?? null;
  }

  row(table: TableName, ...key: Scalar[]): Columns | null {
    return this.#rows.row(table, 'hub1', ...key)?.columns ?? null;
  }

  /** Numbers of all entries it has, ascending. */
  names(): number[] {
    return this.#rows.rows.flatMap((row) => row.names).toSorted((a, b) => a - b);
  }

  backup(): Backup {
    return this.#rows.backup();
  }

  /** Goes back in time; what took effect so far has no order with what comes. */
  restore(backup: Backup): void {
    this.#rows.restore(backup);
    this.#rows.orderAnew();
  }

  /** Another, empty one takes its place. */
  exchange(storeId: string): void {
    this.#rows.exchange(storeId);
  }

  /** As DataBeaconBatch.Apply. */
  async batch(settings: ApplySettings): Promise<ApplyOutputs> {
    const { Mutations, ThroughSeq, IsBelowMark = false } = settings;
    return this.#called(Mutations, ThroughSeq, IsBelowMark, () => this.#rows.apply(settings));
  }

  /** As MeadowProxy: each write for itself, and nothing more of a key after a refusal. */
  async oneByOne({ writes, throughSeq, isBelowMark }: Delivery): Promise<Delivered> {
    const mutations = writes.map((write) => write.mutation);
    return this.#called(mutations, throughSeq, isBelowMark, () => {
      const stopped = new Set<string>();
      // A row request knows no owner, so none is refused for it.
      const { Term = 0, Owner = '' } = this.mark ?? {};
      const settings = Term > 0 ? { ...alone, Term, Owner } : alone;
      const results = writes.map(({ mutation, key }): MutationResult | null => {
        if (stopped.has(key)) return null;
        const [result = null] = this.#rows.apply({ ...settings, Mutations: [mutation] }).Results;
        if (result?.Outcome === 'rejected') stopped.add(key);
        return result;
      });
      return { results, isCommitted: true };
    });
  }

  async #called<T>(
    mutations: readonly RowMutation[],
    throughSeq: number,
    isBelowMark: boolean,
    apply: () => T,
  ): Promise<T> {
    this.calls.push({ names: mutations.flatMap(namesOf), throughSeq, isBelowMark });
    await nextTurn();
    const fault = this.faults.shift();
    if (fault === 'fail') throw new TidemarkError('UNAVAILABLE', 'failed by the script');
    const answer = apply();
    if (fault === 'lose')
      throw new TidemarkError('UNAVAILABLE', 'the answer was lost by the script');
    return answer;
  }
}

/**
 * What a worker asks of a databeacon with the batch capability, answered by a model: stands where
 * the dispatcher does.
 */
export class ScriptedDispatcher {
  readonly databases: ReadonlyMap<string, ModelDatabase>;

  constructor(databases: ReadonlyMap<string, ModelDatabase>) {
    this.databases = databases;
  }

  /** Not bytes here: the model takes the settings as they were when they were packed. */
  pack(settings: object): object {
    return structuredClone(settings);
  }

  sendPacked(
    beacon: string,
    capability: string,
    action: string,
    packed: object,
  ): Promise<ApplyOutputs | MarkOutputs> {
    return this.send(beacon, capability, action, packed);
  }

  async send(
    beacon: string,
    capability: string,
    action: string,
    settings: object,
  ): Promise<ApplyOutputs | MarkOutputs> {
    const database = this.databases.get(beacon);
    if (!database || capability !== 'batch')
      throw new TidemarkError('UNAVAILABLE', `${beacon}: ${capability}.${action} is not scripted`);
    if (action === 'Apply') return database.batch(settings as ApplySettings);
    await nextTurn();
    return { Mark: database.mark, StoreID: database.storeId };
  }
}

/** A carrier without transactions over a model. */
export class OneByOneCarrier implements Carrier {
  readonly name: CarrierName;
  readonly isAtomic = false;
  readonly #database: ModelDatabase;

  constructor(database: ModelDatabase, name: CarrierName = 'meadow-proxy') {
    this.name = name;
    this.#database = database;
  }

  apply(delivery: Delivery): Promise<Delivered> {
    return this.#database.oneByOne(delivery);
  }

  mark(): Promise<null> {
    return Promise.resolve(null);
  }
}
