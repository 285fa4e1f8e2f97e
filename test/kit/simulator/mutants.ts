/**
 * The product with one thing broken on purpose, each a way in which an invariant could be lost. The
 * simulator must find every one.
 */
import { rmSync } from 'node:fs';
import type { WriteReply } from '../../../contracts/reply.ts';
import { limits } from '../../../contracts/limits.ts';
import type { Folded } from '../../../bridges/fold.ts';
import { lanes } from '../../../contracts/subjects.ts';
import { guidBytes } from '../../../worker/state/entry-identity.ts';
import type { Carrier } from '../../../worker/replay/carrier.ts';
import type { Mutant } from './mutant.ts';
import { ofOwners } from './owner-mutants.ts';
import type { SimWorker } from './sim-worker.ts';

/** Puts something around every delivery of a worker. */
function aroundCarrier(
  worker: SimWorker,
  wrap: (
    carrier: Carrier,
    where: { lane: (typeof lanes)[number]; database: number },
  ) => Carrier['apply'],
): void {
  for (const lane of lanes) {
    const delivery = worker.core.delivery.destinations.deliveries[lane];
    const destination = delivery.destination.bind(delivery);
    const wrapped = new WeakMap<object, Carrier>();
    delivery.destination = async () => {
      const found = await destination();
      if (!found) return null;
      const carrier =
        wrapped.get(found.carrier) ??
        Object.assign(Object.create(found.carrier) as Carrier, {
          apply: wrap(found.carrier, { lane, database: found.database }),
          prepare: undefined,
          mark: () => found.carrier.mark(),
        });
      wrapped.set(found.carrier, carrier);
      return { ...found, carrier };
    };
  }
}

const settled = (writes: readonly Folded[]) => ({
  results: writes.map(() => ({ Outcome: 'applied' as const })),
  isCommitted: true,
});

/** I1 to I3: what is answered, and what the journal keeps. */
const ofJournal: Mutant[] = [
  {
    name: 'a write is answered before its commit',
    breaks: 'I1',
    worker: ({
      core: {
        hub: { intake },
      },
      local,
    }) => {
      const accept = intake.accept.bind(intake);
      intake.accept = (envelope) => {
        accept(envelope).catch(() => undefined);
        const Seq =
          Number(
            local.store.db
              .prepare("select seq from sqlite_sequence where name = 'known'")
              .pluck()
              .get(),
          ) + intake.waiting;
        const reply: WriteReply = {
          Available: true,
          Success: true,
          Durability: 'synced',
          Seq,
          EventGUID: envelope.eventGuid,
          Duplicate: false,
        };
        const refusal = intake.refusal();
        return refusal ? Promise.reject(refusal) : Promise.resolve(reply);
      };
    },
  },
  {
    name: 'commits are not synced',
    breaks: 'I1',
    opened: (db) => {
      db.pragma('synchronous = normal');
    },
  },
  {
    name: 'a replaced file goes unnoticed',
    breaks: 'I1',
    local: ({ store }) => {
      store.assertSameFiles = () => undefined;
    },
  },
  {
    name: 'the log is taken for a leftover and removed at a start',
    breaks: 'I1',
    beforeOpen: ({ wal }) => rmSync(wal, { force: true }),
  },
  {
    name: 'Seqs go on from the entries that are there',
    breaks: 'I2',
    opened: (db) => {
      db.exec(
        "update sqlite_sequence set seq = coalesce((select max(seq) from entry), 0) where name = 'known'",
      );
    },
  },
  {
    name: 'a repeat is a new entry',
    breaks: 'I3',
    local: ({ journal, store }) => {
      const append = journal.append.bind(journal);
      const forget = store.db.prepare('update known set guid = randomblob(16) where guid = ?');
      journal.append = (envelopes, nowMs) => {
        for (const one of envelopes) forget.run(guidBytes(one.eventGuid));
        return append(envelopes, nowMs);
      };
    },
  },
  {
    name: 'a repeat is known by its EventGUID alone',
    breaks: 'I3',
    local: ({ journal }) => {
      const append = journal.append.bind(journal);
      journal.append = (envelopes, nowMs) =>
        append(envelopes, nowMs).map((one, at) =>
          one instanceof Error
            ? { seq: journal.find(envelopes[at]?.eventGuid ?? '')?.seq ?? 0, isNew: false }
            : one,
        );
    },
  },
];

/** I4 to I6: marks, and what is given up. */
const ofMarks: Mutant[] = [
  {
    name: 'a mark is moved back by a new look at its database',
    breaks: 'I4',
    local: ({ marks }) => {
      const setStoreId = marks.setStoreId.bind(marks);
      marks.setStoreId = (database, lane, storeId) => {
        setStoreId(database, lane, storeId);
        const seq = marks.get(database, lane)?.seq ?? 0;
        if (seq > 0) marks.rewind(database, lane, seq - 1, 0);
      };
    },
  },
  {
    name: 'the mark row is not written with the rows',
    breaks: 'I4',
    database: (database) => {
      database.hasMarks = false;
    },
  },
  {
    name: 'the mark moves before the database has answered',
    breaks: 'I5',
    worker: (worker) =>
      aroundCarrier(worker, (carrier, { lane, database }) => (delivery) => {
        const advance = worker.local.store.db.prepare(
          'update mark set seq = max(seq, ?) where database = ? and lane = ?',
        );
        if (!delivery.isBelowMark) advance.run(delivery.throughSeq, database, lanes.indexOf(lane));
        return carrier.apply(delivery);
      }),
  },
  {
    name: 'no answer is taken for a good one',
    breaks: 'I5',
    worker: (worker) =>
      aroundCarrier(
        worker,
        (carrier) => (delivery) => carrier.apply(delivery).catch(() => settled(delivery.writes)),
      ),
  },
  {
    name: 'a database that went back in time is not looked at',
    breaks: 'I5',
    local: ({ marks }) => {
      marks.rewind = () => undefined;
    },
    database: (database) => {
      const apply = database.apply.bind(database);
      database.apply = (settings) => {
        const unguarded = { ...settings, AfterSeq: 0 };
        delete unguarded.AfterEpoch;
        return apply(unguarded);
      };
    },
  },
  {
    name: 'bodies of held entries are given up',
    breaks: 'I6',
    local: ({ blocked }) => {
      blocked.isHolding = () => false;
    },
  },
  {
    name: 'bodies are given up whatever the mark',
    breaks: 'I6',
    local: ({ journal }) => {
      const seqsBetween = journal.seqsBetween.bind(journal);
      journal.seqsBetween = (lane, after, _, limit) =>
        seqsBetween(lane, after, journal.counts(lane).head, limit);
    },
  },
];

/** I7 to I10: order, repeats, bounds, counts. */
const ofDelivery: Mutant[] = [
  {
    name: 'parked entries do not wait for their dead letter',
    breaks: 'I7',
    local: ({ blocked, store }) => {
      const parked = store.db.prepare<[number, number, number], { key: string; seq: number }>(
        `select key, min(seq) as seq from held where database = ? and lane = ? and state = 'parked'
          and seq <= (select seq from mark
            where mark.database = held.database and mark.lane = held.lane)
          group by key order by 2 limit ?`,
      );
      blocked.released.next = (database, lane, entries) => ({
        runs: parked
          .all(database, lanes.indexOf(lane), entries)
          .map(({ key, seq }) => ({ key, seqs: [seq] })),
        isMore: false,
      });
    },
  },
  {
    name: 'new writes of a waiting key are not parked',
    breaks: 'I7',
    local: ({ blocked }) => {
      const waitingKeys = blocked.waitingKeys.bind(blocked);
      blocked.waitingKeys = (database, lane) =>
        Object.assign(waitingKeys(database, lane), { has: () => false });
    },
  },
  {
    name: 'BridgeSeq guards no row',
    breaks: 'I8',
    database: (database) => {
      database.isGuarded = false;
    },
  },
  {
    name: 'intake takes without bound',
    breaks: 'I9',
    worker: ({
      core: {
        hub: { intake },
      },
    }) => {
      intake.refusal = () => null;
    },
  },
  {
    name: 'a delivery takes without bound',
    breaks: 'I9',
    local: () => {
      Object.assign(limits, { deliverEntriesMin: 64 });
    },
  },
  {
    name: 'a settled batch counts one too many',
    breaks: 'I10',
    local: ({ marks }) => {
      const settle = marks.settle.bind(marks);
      marks.settle = (database, lane, settlement) =>
        settle(database, lane, {
          ...settlement,
          applied: settlement.applied + (settlement.applied > 2 ? 1 : 0),
        });
    },
  },
  {
    name: 'a batch begins with the entry at the mark',
    breaks: 'I10',
    local: ({ journal }) => {
      const readSlice = journal.readSlice.bind(journal);
      journal.readSlice = (lane, seq, limit, bytesMax) =>
        readSlice(lane, Math.max(0, seq - 1), limit, bytesMax);
    },
  },
];

export const mutants: readonly Mutant[] = [...ofJournal, ...ofMarks, ...ofDelivery, ...ofOwners];
