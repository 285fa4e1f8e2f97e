/**
 * I1 to I10 over a simulated world: what is in the journal, the marks, what is held, and what the
 * databases have, against the ledger.
 */
import { type Lane, laneIndex, lanes } from '../../../contracts/subjects.ts';
import { guidText } from '../../../worker/state/entry-identity.ts';
import type { SimBeacon, Witness } from './beacon.ts';
import type { SimDatabase } from './database.ts';
import type { Ledger, Write } from './ledger.ts';
import { pendingMax, type SimWorker } from './sim-worker.ts';

type EntryRow = { seq: number; lane: number; guid: Buffer; isStripped: number };
type BlockedRow = { database: number; seq: number; state: string };
type Known = { write: Write; seq: number; isStripped: boolean };

/** More than a backlog's bound may be waiting when it is met. */
const pendingSlack = 24;

export class Checks {
  readonly #ledger: Ledger;
  readonly #beacons: ReadonlyMap<string, SimBeacon>;
  readonly #witness: Witness;
  /** `beacon lane` -> the mark last seen. */
  readonly #marks = new Map<string, number>();
  /** `beacon lane` whose mark may go back once, because its database did. */
  readonly #mayGoBack = new Set<string>();
  readonly #stripped = new Set<number>();
  #lastSeq = 0;
  #hasLostJournal = false;
  #hasChangedOwner = false;

  constructor(ledger: Ledger, beacons: ReadonlyMap<string, SimBeacon>, witness: Witness) {
    this.#ledger = ledger;
    this.#beacons = beacons;
    this.#witness = witness;
  }

  /** A database went back in time, or is another. */
  travelled(beacon: string): void {
    for (const lane of lanes) this.#mayGoBack.add(`${beacon} ${lane}`);
  }

  /** The data directory was lost, or an older one put back: marks are those of the new one. */
  lostJournal(worker: SimWorker): void {
    this.#hasLostJournal = true;
    this.#marks.clear();
    this.#stripped.clear();
    const { db } = worker.local.store;
    this.#ledger.forget(
      new Set((db.prepare('select guid from entry').pluck().all() as Buffer[]).map(guidText)),
    );
  }

  /** Another store owns the hub: its journal is the one that counts, and its clock its own. */
  changedOwner(worker: SimWorker): void {
    this.#hasChangedOwner = true;
    this.#lastSeq = 0;
    this.lostJournal(worker);
    this.#ledger.numberAnew();
    for (const id of this.#beacons.keys()) this.travelled(id);
  }

  /** Everything that must hold at any moment of a living worker. */
  run(worker: SimWorker): void {
    const { db } = worker.local.store;
    const entries = this.#journal(
      db
        .prepare<[], EntryRow>(
          'select seq, lane, guid, body is null as isStripped from entry order by seq',
        )
        .all(),
    );
    const blocked = new Map(
      db
        .prepare<[], BlockedRow>('select database, seq, state from held')
        .all()
        .map((one) => [`${one.database} ${one.seq}`, one.state]),
    );
    for (const lane of lanes) {
      this.#counts(worker, lane);
      for (const mark of worker.local.marks.list(lane)) {
        const beacon = this.#beacons.get(mark.beacon);
        if (!beacon) continue;
        this.#notBack(`${mark.beacon} ${lane}`, mark.seq);
        if (!beacon.database.unreported.has(lane))
          this.#settled(
            entries.filter((one) => one.write.lane === lane),
            {
              id: mark.database,
              seq: mark.seq,
              isSuperseded: (seq) => worker.local.marks.superseded.get(mark.database, seq) !== null,
            },
            blocked,
            beacon,
          );
      }
      this.#given(worker, entries, lane);
    }
    for (const beacon of this.#beacons.values()) this.#ordered(beacon);
  }

  /** I1, I2, I3: what was answered is in the journal, once, and Seqs only grow. */
  #journal(rows: EntryRow[]): Known[] {
    const last = this.#lastSeq;
    const known = rows.flatMap((row): Known[] => {
      const write = this.#ledger.byGuid(guidText(row.guid));
      if (!write) {
        this.#witness.violate(`I3: the journal has Seq ${row.seq} with an EventGUID nobody sent`);
        return [];
      }
      if (write.seq !== row.seq) {
        if (row.seq <= last && this.#ledger.bySeq(row.seq) !== write)
          this.#witness.violate(
            `I2: write ${write.name} has Seq ${row.seq}, and ${last} was given before`,
          );
        this.#ledger.own(row.seq, write);
      }
      if (laneIndex(write.lane) !== row.lane)
        this.#witness.violate(`write ${write.name} of lane ${write.lane} is in another one`);
      this.#lastSeq = Math.max(this.#lastSeq, row.seq);
      return [{ write, seq: row.seq, isStripped: row.isStripped === 1 }];
    });
    const there = new Set(known.map((one) => one.write.name));
    for (const write of this.#ledger.writes) {
      if (write.isAcked && !there.has(write.name))
        this.#witness.violate(
          `I1: write ${write.name} was answered with Seq ${write.seq} and is not in the journal`,
        );
    }
    return known;
  }

  /** I9 and I10. */
  #counts({ core }: SimWorker, lane: Lane): void {
    const balance = core.operators.overview.balance(lane);
    if (balance.Difference !== 0)
      this.#witness.violate(
        `I10: the balance of lane ${lane} is off by ${balance.Difference}: ${JSON.stringify(balance)}`,
      );
    if (balance.Pending > pendingMax + pendingSlack)
      this.#witness.violate(
        `I9: ${balance.Pending} entries of lane ${lane} are pending, at most ${pendingMax}`,
      );
  }

  #notBack(name: string, seq: number): void {
    const before = this.#marks.get(name) ?? 0;
    this.#marks.set(name, seq);
    if (seq >= before) return;
    if (!this.#mayGoBack.delete(name))
      this.#witness.violate(`I4: the mark of ${name} went back from ${before} to ${seq}`);
  }

  /** I5 and the half of I7 that concerns held entries. */
  #settled(
    entries: Known[],
    mark: { id: number; seq: number; isSuperseded: (seq: number) => boolean },
    blocked: ReadonlyMap<string, string>,
    { id, kind, database }: SimBeacon,
  ): void {
    // Without a mark row nobody can tell a world when its worker has noticed.
    if (kind === 'proxy' && database.hasTravelled) return;
    const has = database.has();
    const waiting = new Map<string, number>();
    for (const one of entries) {
      const state = blocked.get(`${mark.id} ${one.seq}`);
      const isThere = isIn(database, has, one);
      const isDue = one.seq <= mark.seq && !one.isStripped && !mark.isSuperseded(one.seq);
      if (isDue && state === undefined && !isThere)
        this.#witness.violate(
          `I5: ${id} lacks write ${one.write.name} (Seq ${one.seq}) below the mark ${mark.seq}`,
        );
      const first = waiting.get(one.write.key);
      if (first !== undefined && isThere && !one.write.isRemoval && !this.#hasLostJournal)
        this.#witness.violate(
          `I7: ${id} has write ${one.write.name} of ${one.write.key} before write ${first}, which is held`,
        );
      if ((state === 'dead' || state === 'parked') && !isThere)
        waiting.set(one.write.key, one.write.name);
    }
  }

  /** I6: bodies given up since the last look are in the assigned database. */
  #given(worker: SimWorker, entries: Known[], lane: Lane): void {
    const beacon = this.#beacons.get(worker.assigned(lane) ?? '');
    const mark = beacon && worker.local.marks.find(beacon.id, 1, lane);
    const has = beacon?.database.has();
    for (const one of entries) {
      if (!one.isStripped || one.write.lane !== lane || this.#stripped.has(one.write.name))
        continue;
      this.#stripped.add(one.write.name);
      if (!beacon || !mark || !has)
        this.#witness.violate(
          `I6: write ${one.write.name} gave up its body while no database is assigned`,
        );
      else if (
        beacon.database.hasTravelled ||
        this.#hasLostJournal ||
        isGivenUp(worker, mark.database, one.seq)
      )
        continue;
      else if (!isIn(beacon.database, has, one))
        this.#witness.violate(
          `I6: write ${one.write.name} gave up its body, and ${beacon.id} does not have it`,
        );
    }
  }

  /** I7: what took effect for a key did so in the order of its writes. */
  #ordered({ id, database }: SimBeacon): void {
    const last = new Map<string, number>();
    for (const { key, name, row } of database.effects) {
      const of = this.#hasChangedOwner ? row : key;
      const before = last.get(of) ?? -1;
      if (name < before)
        this.#witness.violate(`I7: ${id} took write ${name} of ${key} after write ${before}`);
      last.set(of, name);
    }
  }

  /**
   * At the end, with everything healed and drained: the assigned database has every entry that
   * still can be sent, or it was dropped.
   */
  complete(worker: SimWorker): void {
    const { db } = worker.local.store;
    const entries = this.#journal(
      db
        .prepare<[], EntryRow>(
          'select seq, lane, guid, body is null as isStripped from entry order by seq',
        )
        .all(),
    );
    for (const lane of lanes) {
      const beacon = this.#beacons.get(worker.assigned(lane) ?? '');
      const mark = beacon && worker.local.marks.find(beacon.id, 1, lane);
      if (!beacon || !mark) continue;
      const has = beacon.database.has();
      for (const one of entries) {
        if (
          one.write.lane !== lane ||
          one.isStripped ||
          beacon.database.early.has(one.write.key) ||
          isIn(beacon.database, has, one)
        )
          continue;
        const isBehind = worker.local.marks.superseded.get(mark.database, one.seq) !== null;
        if (!isBehind && !isGivenUp(worker, mark.database, one.seq))
          this.#witness.violate(
            `I5: at the end ${beacon.id} lacks write ${one.write.name} (Seq ${one.seq})`,
          );
      }
    }
  }
}

/**
 * Whether a database has a write. A manifest is replaced whole, so a newer one is as good; a
 * removal that came to no row is as good as done.
 */
function isIn(
  database: SimDatabase,
  has: { names: Set<number>; deletes: Set<number> },
  { write, seq }: Known,
): boolean {
  if (has.names.has(write.name) || has.deletes.has(seq)) return true;
  if (write.lane === 'queue') return false;
  const row = database.row('UVManifest', 'hub1', write.key);
  return row ? Number(row.columns['BridgeSeq']) >= seq : write.isRemoval;
}

/** Dropped by an operator, whether retention has taken what was held of it or not. */
function isGivenUp({ local }: SimWorker, database: number, seq: number): boolean {
  return (
    local.blocked.get(database, seq)?.state === 'dropped' ||
    local.journal.facts(seq)?.isGivenUp === true
  );
}
