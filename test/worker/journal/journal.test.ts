/**
 * The journal on real SQLite files: numbers that only grow, identities that hold, and what
 * retention may take.
 */
import { rmSync } from 'node:fs';
import { pack, unpack } from 'msgpackr';
import { describe, expect, test } from 'vitest';
import { decodeEnvelope, type WriteEnvelope } from '../../../contracts/envelope.ts';
import { TidemarkError } from '../../../contracts/errors.ts';
import { limits } from '../../../contracts/limits.ts';
import type { Journal } from '../../../worker/journal/journal.ts';
import { guidBytes, guidText } from '../../../worker/state/entry-identity.ts';
import { openLocal } from '../../../worker/journal/local.ts';
import { guidOf } from '../../kit/rows/trace.ts';
import {
  event,
  folderOfTest,
  hubId,
  manifest,
  openState,
  openStore,
  patch,
  upsert,
  write,
} from '../../kit/worker/fixture.ts';

function append(journal: Journal, ...envelopes: WriteEnvelope[]) {
  return journal
    .append(envelopes, 1_000)
    .map((one) => (one instanceof TidemarkError ? one.code : one));
}

function seqOf(journal: Journal, envelope: WriteEnvelope): number {
  const [one] = journal.append([envelope], 1_000);
  if (!one || one instanceof TidemarkError) throw new Error(`refused: ${String(one)}`);
  return one.seq;
}

describe('journal — Seq (I2)', () => {
  test('grows strictly within a commit, over commits, lanes and restarts (I2)', () => {
    const dir = folderOfTest();
    const seqs: number[] = [];
    for (let run = 0; run < 3; run++) {
      const store = openStore(dir.path);
      const { journal } = openLocal(store, hubId);
      for (let n = 0; n < 4; n++) {
        const results = journal.append(
          [upsert('a', `a${run}.${n}`), manifest('m', `m${run}.${n}`), event('a', `e${run}.${n}`)],
          n,
        );
        for (const one of results) if (!(one instanceof TidemarkError)) seqs.push(one.seq);
      }
      store.close();
    }
    expect(seqs.length).toBe(36);
    expect(seqs.every((seq, at) => at === 0 || seq > (seqs[at - 1] ?? 0))).toBe(true);
    expect(Number.isSafeInteger(seqs.at(-1))).toBe(true);
  });

  test('is not used again after every body was given up (I2)', () => {
    const dir = folderOfTest();
    const store = openStore(dir.path);
    const { journal } = openLocal(store, hubId);
    const last = seqOf(journal, upsert('a', 'one'));
    journal.strip('queue', journal.readAfter('queue', 0, 10, limits.deliverBytesMax));
    expect(journal.readAfter('queue', 0, 10, limits.deliverBytesMax)).toEqual([]);
    store.close();
    const again = openLocal(openStore(dir.path), hubId).journal;
    expect(seqOf(again, upsert('a', 'two'))).toBeGreaterThan(last);
  });

  test('is above all old ones after the data directory was made anew; the epoch tells them apart (I2)', () => {
    const dir = folderOfTest();
    const old = openStore(dir.path);
    const last = seqOf(openLocal(old, hubId).journal, upsert('a', 'one'));
    old.close();
    rmSync(dir.path, { recursive: true });
    const anew = openStore(dir.path);
    expect(seqOf(openLocal(anew, hubId).journal, upsert('a', 'one'))).toBeGreaterThan(last);
    expect(anew.epoch).not.toBe(old.epoch);
  });

  test('a commit that fails leaves nothing and no number out of order', () => {
    const { journal } = openState();
    const first = seqOf(journal, upsert('a', 'one'));
    const broken = { ...upsert('a', 'two'), key: undefined as unknown as string };
    expect(() => journal.append([upsert('a', 'three'), broken], 1)).toThrow();
    expect(journal.find(guidOf('three'))).toBeNull();
    expect(journal.counts('queue')).toMatchObject({ accepted: 1, head: first });
    expect(seqOf(journal, upsert('a', 'three'))).toBeGreaterThan(first);
  });
});

describe('journal — one EventGUID, one entry (I3)', () => {
  const fields = {
    Status: 'Pending',
    Settings: { b: [1, { d: 1, c: null }], a: 'ü' },
    Health: 0.5,
    Odd: { z: 1, y: 2 },
  };
  const reordered = {
    Odd: { y: 2, z: 1 },
    Health: 0.5,
    Settings: { a: 'ü', b: [1, { c: null, d: 1 }] },
    Status: 'Pending',
  };
  const other = { ...fields, Settings: { ...fields.Settings, b: [1, { d: 1, c: 0 }] } };

  test('a repeat gets the first Seq, whatever the order of members; other content is a conflict (I3)', () => {
    const { journal } = openState();
    const seq = seqOf(journal, upsert('a', 'x', fields));
    expect(
      append(
        journal,
        upsert('a', 'x', fields),
        upsert('a', 'x', reordered),
        upsert('a', 'x', other),
      ),
    ).toEqual([{ seq, isNew: false }, { seq, isNew: false }, 'CONFLICT']);
    expect(journal.counts('queue').accepted).toBe(1);
  });

  test('within one commit as well, and over lanes', () => {
    const { journal } = openState();
    const results = append(
      journal,
      upsert('a', 'x'),
      upsert('a', 'x'),
      upsert('b', 'x'),
      manifest('a', 'x'),
    );
    expect(results).toEqual([
      { seq: expect.any(Number), isNew: true },
      { seq: (results[0] as { seq: number }).seq, isNew: false },
      'CONFLICT',
      'CONFLICT',
    ]);
    expect(journal.counts('queue').accepted + journal.counts('manifest').accepted).toBe(1);
  });

  test('the same settings as another action are other content', () => {
    const { journal } = openState();
    seqOf(
      journal,
      write('QP_UpdateWorkItem', 'x', { WorkItemHash: 'a', AttemptNumber: 1, Patch: {} }),
    );
    expect(
      append(
        journal,
        write('QP_UpdateAttemptOutcome', 'x', { WorkItemHash: 'a', AttemptNumber: 1, Patch: {} }),
      ),
    ).toEqual(['CONFLICT']);
  });

  test('after a restart, and after retention took the body (I3)', () => {
    const dir = folderOfTest();
    const store = openStore(dir.path);
    const seq = seqOf(openLocal(store, hubId).journal, upsert('a', 'x', fields));
    store.close();
    const { journal } = openState(dir.path);
    expect(append(journal, upsert('a', 'x', reordered), upsert('a', 'x', other))).toEqual([
      { seq, isNew: false },
      'CONFLICT',
    ]);
    journal.strip('queue', journal.readAfter('queue', 0, 10, limits.deliverBytesMax));
    expect(append(journal, upsert('a', 'x', reordered), upsert('a', 'x', other))).toEqual([
      { seq, isNew: false },
      'CONFLICT',
    ]);
    expect(journal.read(seq)).toBeNull();
    expect(journal.find(guidOf('x'))).toMatchObject({ seq, lane: 'queue', key: null });
  });

  test('JSON and MessagePack of the same write are the same content; so is a GUID in capitals (I3)', () => {
    const { journal } = openState();
    const body = {
      EventGUID: guidOf('x'),
      Settings: {
        WorkItem: {
          WorkItemHash: 'a',
          EnqueuedAt: new Date(0),
          Priority: 7,
          Result: { n: 1.5, none: undefined },
        },
      },
    };
    const asPacked = decodeEnvelope(
      unpack(pack(body)),
      'queue',
      'QP_UpsertWorkItem',
    ) as WriteEnvelope;
    const asText = decodeEnvelope(
      JSON.parse(
        JSON.stringify({
          ...body,
          EventGUID: body.EventGUID.toUpperCase(),
          Settings: { WorkItem: { ...body.Settings.WorkItem, Result: { n: 1.5, none: null } } },
        }),
      ),
      'queue',
      'QP_UpsertWorkItem',
    ) as WriteEnvelope;
    const seq = seqOf(journal, asPacked);
    expect(append(journal, asText)).toEqual([{ seq, isNew: false }]);
    journal.strip('queue', journal.readAfter('queue', 0, 1, 1));
    expect(append(journal, asText, asPacked)).toEqual([
      { seq, isNew: false },
      { seq, isNew: false },
    ]);
  });

  test('sender, time and wish to wait are not content', () => {
    const { journal } = openState();
    const settings = { WorkItemHash: 'a', Patch: { Status: 'x' } };
    const seq = seqOf(
      journal,
      write('QP_UpdateWorkItem', 'x', settings, { RemoteUser: 'one', At: '2026-01-01T00:00:00Z' }),
    );
    expect(
      append(
        journal,
        write('QP_UpdateWorkItem', 'x', settings, { RemoteUser: 'two', Wait: 'applied' }),
      ),
    ).toEqual([{ seq, isNew: false }]);
    expect(journal.read(seq)).toMatchObject({ remoteUser: 'one', at: '2026-01-01T00:00:00.000Z' });
  });

  test('a GUID as text and as bytes', () => {
    expect(guidText(guidBytes('0123ABCD-4567-89ef-0123-456789ABCDEF'))).toBe(
      '0123abcd-4567-89ef-0123-456789abcdef',
    );
  });
});

describe('journal — reading', () => {
  test('an entry comes back as it was accepted', () => {
    const { journal } = openState();
    const fields = {
      Settings: '{"text":1}',
      Result: [null, 1e-7, 'a\u2028b', { __proto__x: 1 }],
      RetryAfter: 12,
      'a.b': { c: {} },
    };
    const seq = seqOf(journal, upsert('k ~\'%"', 'x', fields));
    expect(journal.read(seq)).toEqual({
      seq,
      hubId,
      action: 'QP_UpsertWorkItem',
      eventGuid: guidOf('x'),
      key: 'k ~\'%"',
      at: null,
      acceptedAt: '1970-01-01T00:00:01.000Z',
      remoteUser: 'ultravisor-system',
      settings: { WorkItem: { WorkItemHash: 'k ~\'%"', ...fields } },
      term: 1,
    });
  });

  test('readAfter gives one lane above a Seq, ascending, within both bounds, and at least one', () => {
    const { journal } = openState();
    const big = 'x'.repeat(1_000);
    const seqs = Array.from({ length: 6 }, (_, n) => {
      seqOf(journal, manifest('m', `m${n}`));
      return seqOf(journal, patch('a', `a${n}`, { Result: big }));
    });
    const read = (after: number, limit: number, bytes: number) =>
      journal.readAfter('queue', after, limit, bytes).map((entry) => entry.seq);
    expect(read(0, 100, 1e6)).toEqual(seqs);
    expect(read(seqs[2] as number, 100, 1e6)).toEqual(seqs.slice(3));
    expect(read(0, 2, 1e6)).toEqual(seqs.slice(0, 2));
    expect(read(0, 100, 3_500)).toEqual(seqs.slice(0, 3));
    expect(read(0, 100, 1)).toEqual(seqs.slice(0, 1));
    expect(read(seqs.at(-1) as number, 100, 1e6)).toEqual([]);
    // A cursor that was left half-read does not keep the journal from writing.
    expect(seqOf(journal, patch('a', 'later', {}))).toBeGreaterThan(seqs.at(-1) as number);
  });
});
