/**
 * The second implementation of the carrier seam: a database in memory that applies mutations by the
 * contract's words, and does what a test says — refuses entries, loses answers, fails, is restored
 * from a backup. An entry is known by the field `F<number>` it carries.
 */
import type {
  ApplyOutputs,
  ApplySettings,
  MarkOutputs,
  StoredMark,
} from '../../../contracts/capability.ts';
import { TidemarkError } from '../../../contracts/errors.ts';
import type { MutationResult, RowMutation } from '../../../contracts/mutation.ts';
import type { CarrierName } from '../../../contracts/status.ts';
import { nextTurn } from '../../../runtime/clock.ts';
import type { Carrier, Delivered, Delivery } from '../../../worker/replay/carrier.ts';

type Columns = Record<string, unknown>;
type ModelRow = { columns: Columns; seq: number; names: number[] };
type Content = { rows: Map<string, ModelRow>; mark: StoredMark | null };
export type Backup = { content: Content; storeId: string };
export type Fault = 'lose' | 'fail';

/** Numbers of the entries a mutation stands for. */
function namesOf(mutation: RowMutation): number[] {
  const extra: unknown =
    mutation.Merge?.['Extra'] ?? JSON.parse(String(mutation.Set['Extra'] ?? '{}'));
  return Object.keys(extra as object)
    .filter((name) => /^F\d+$/.test(name))
    .map((name) => Number(name.slice(1)));
}

function keyOf(mutation: RowMutation): string {
  return String(
    mutation.Key['WorkItemHash'] ?? mutation.Set['WorkItemHash'] ?? mutation.Key['Hash'],
  );
}

export class ModelDatabase {
  /** Entries it refuses, until they are taken out. */
  readonly refused = new Set<number>();
  /** What the next deliveries meet: `lose` applies and loses the answer, `fail` does nothing. */
  readonly faults: Fault[] = [];
  /** Deliveries as they came, by the entries in them. */
  readonly calls: { names: number[]; throughSeq: number; isBelowMark: boolean }[] = [];
  storeId: string;
  /** Writes that took effect, in order: what I7 is checked on. */
  effects: { key: string; name: number }[] = [];
  #content: Content = { rows: new Map(), mark: null };

  constructor(storeId = 'store-1') {
    this.storeId = storeId;
  }

  get mark(): StoredMark | null {
    return this.#content.mark;
  }

  row(table: string, ...key: (string | number)[]): Columns | null {
    return this.#content.rows.get([table, 'hub1', ...key].join(' '))?.columns ?? null;
  }

  /** Numbers of all entries it has, ascending. */
  names(): number[] {
    return [...this.#content.rows.values()].flatMap((row) => row.names).toSorted((a, b) => a - b);
  }

  backup(): Backup {
    return structuredClone({ content: this.#content, storeId: this.storeId });
  }

  /** Goes back in time. */
  restore(backup: Backup): void {
    const { content, storeId } = structuredClone(backup);
    this.#content = content;
    this.storeId = storeId;
    this.effects = [];
  }

  /** As DataBeaconBatch.Apply: all or nothing with the mark row; below the mark each for itself. */
  async batch(
    settings: Pick<
      ApplySettings,
      'Mutations' | 'Epoch' | 'ThroughSeq' | 'IsBelowMark' | 'AfterSeq' | 'AfterEpoch'
    >,
  ): Promise<ApplyOutputs> {
    const { Mutations, Epoch, ThroughSeq, IsBelowMark = false, AfterSeq = 0 } = settings;
    const stored = this.mark;
    const { AfterEpoch } = settings;
    const isLate =
      AfterEpoch !== undefined && AfterEpoch !== (stored?.Epoch ?? '') && stored?.Epoch !== Epoch;
    const isBehind =
      stored?.Epoch === (AfterEpoch ?? Epoch)
        ? stored.Seq < AfterSeq
        : AfterEpoch === undefined && AfterSeq > 0;
    if (isLate || isBehind)
      throw new TidemarkError(
        'UNAVAILABLE',
        'the database went back in time, or the batch is late',
      );
    const fault = await this.#called(Mutations, ThroughSeq, IsBelowMark);
    const before = this.backup();
    const effects = [...this.effects];
    const skipThrough = !IsBelowMark && this.mark?.Epoch === Epoch ? this.mark.Seq : -1;
    const Results = Mutations.map((one) =>
      one.Seq <= skipThrough ? { Outcome: 'already-present' as const } : this.#result(one),
    );
    const IsCommitted = IsBelowMark || Results.every((one) => one.Outcome !== 'rejected');
    if (!IsCommitted) {
      this.restore(before);
      this.effects = effects;
    } else if (IsBelowMark) {
      if (stored && stored.Epoch === AfterEpoch) this.#content.mark = { ...stored, Epoch };
    } else {
      // What one transaction shows at once has no order within.
      this.effects = [
        ...effects,
        ...this.effects.slice(effects.length).toSorted((a, b) => a.name - b.name),
      ];
      if (ThroughSeq > skipThrough) this.#content.mark = { Epoch, Seq: ThroughSeq, UpdatedAt: '' };
    }
    if (fault === 'lose')
      throw new TidemarkError('UNAVAILABLE', 'the answer was lost by the script');
    return { Results, IsCommitted, Mark: this.mark };
  }

  /** As MeadowProxy: each write for itself, and nothing more of a key after a refusal. */
  async oneByOne({ writes, throughSeq, isBelowMark }: Delivery): Promise<Delivered> {
    const fault = await this.#called(
      writes.map((write) => write.mutation),
      throughSeq,
      isBelowMark,
    );
    const stopped = new Set<string>();
    const results = writes.map(({ mutation, key }): MutationResult | null => {
      if (stopped.has(key)) return null;
      const result = this.#result(mutation);
      if (result.Outcome === 'rejected') stopped.add(key);
      return result;
    });
    if (fault === 'lose')
      throw new TidemarkError('UNAVAILABLE', 'the answer was lost by the script');
    return { results, isCommitted: true };
  }

  async #called(
    mutations: readonly RowMutation[],
    throughSeq: number,
    isBelowMark: boolean,
  ): Promise<Fault | undefined> {
    this.calls.push({ names: mutations.flatMap(namesOf), throughSeq, isBelowMark });
    await nextTurn();
    const fault = this.faults.shift();
    if (fault === 'fail') throw new TidemarkError('UNAVAILABLE', 'failed by the script');
    return fault;
  }

  /** One mutation under the row's BridgeSeq (I8). */
  #result(mutation: RowMutation): MutationResult {
    const names = namesOf(mutation);
    if (names.some((name) => this.refused.has(name)))
      return { Outcome: 'rejected', Reason: 'the script says so' };
    const id = [mutation.Table, ...Object.values(mutation.Key)].join(' ');
    const row = this.#content.rows.get(id);
    if (row && (row.seq >= mutation.Seq || mutation.Op === 'insert'))
      return { Outcome: 'already-present' };
    if (!row && mutation.Op === 'delete') return { Outcome: 'not-found' };
    const fresh = names.filter((name) => !row?.names.includes(name)).toSorted((a, b) => a - b);
    this.#content.rows.set(id, {
      columns: changed(row?.columns ?? {}, mutation),
      seq: mutation.Seq,
      names: [...(row?.names ?? []), ...fresh],
    });
    for (const name of fresh) this.effects.push({ key: keyOf(mutation), name });
    return { Outcome: 'applied' };
  }
}

function changed(columns: Columns, mutation: RowMutation): Columns {
  if (mutation.Op === 'delete') return { ...columns, Deleted: 1 };
  const next: Columns = { ...columns, ...mutation.Key, ...mutation.Set, Deleted: 0 };
  for (const [name, value] of Object.entries(mutation.Fill ?? {})) next[name] ||= value;
  for (const [name, members] of Object.entries(mutation.Merge ?? {}))
    next[name] = { ...(next[name] as object | undefined), ...members };
  return next;
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
  readonly name: CarrierName = 'meadow-proxy';
  readonly isAtomic = false;
  readonly #database: ModelDatabase;

  constructor(database: ModelDatabase) {
    this.#database = database;
  }

  apply(delivery: Delivery): Promise<Delivered> {
    return this.#database.oneByOne(delivery);
  }

  mark(): Promise<null> {
    return Promise.resolve(null);
  }
}
