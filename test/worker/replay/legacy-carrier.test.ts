/**
 * Entries as the domain actions they came as: what is sent, in which order, and what each kind of
 * answer means.
 */
import { describe, expect, test } from 'vitest';
import { toMutation } from '../../../bridges/lanes.ts';
import type { WriteEnvelope } from '../../../contracts/envelope.ts';
import { TidemarkError } from '../../../contracts/errors.ts';
import type { JsonObject } from '../../../contracts/body/json-value.ts';
import { limits } from '../../../contracts/limits.ts';
import { nextTurn } from '../../../runtime/clock.ts';
import type { Dispatcher } from '../../../worker/beacons/dispatcher.ts';
import { LegacyCarrier } from '../../../worker/replay/legacy-carrier.ts';
import { guidOf } from '../../kit/rows/trace.ts';
import { event, manifest, openState, patch, upsert, write } from '../../kit/worker/fixture.ts';

type Sent = { lane: string; action: string; settings: JsonObject };
type Answer = (sent: Sent) => object | Promise<object>;

function setup(envelopes: WriteEnvelope[], answer: Answer = () => ({ Success: true })) {
  const { journal } = openState();
  const sent: Sent[] = [];
  const dispatcher = {
    send: async (_beacon: string, lane: string, action: string, settings: JsonObject) => {
      const one = { lane, action, settings };
      sent.push(one);
      return answer(one);
    },
  } as unknown as Dispatcher;
  const lane = envelopes[0]?.lane ?? 'queue';
  const carrier = new LegacyCarrier(dispatcher, { beacon: 'old-1', lane });
  journal.append(envelopes, 1_000);
  const entries = journal.readSlice(lane, 0, 1_000, 1e9).entries;
  const writes = entries.map((entry) => ({
    mutation: toMutation(entry),
    key: entry.key,
    seqs: [entry.seq],
    entry,
  }));
  const apply = () =>
    carrier.apply({ writes, throughSeq: writes.length, isBelowMark: false, afterSeq: 0 });
  return {
    carrier,
    sent,
    apply,
    outcomes: async () => (await apply()).results.map((result) => result?.Outcome ?? null),
  };
}

const hashOf = ({ settings }: Sent) =>
  String(settings['WorkItemHash'] ?? (settings['WorkItem'] as JsonObject)['WorkItemHash']);

describe('what is sent', () => {
  test('each action with the Settings the hub gave, to the capability of its lane', async () => {
    const queue = setup([
      upsert('w', 'a', { Status: 'Pending', Odd: { a: 1 }, Settings: { deep: [1] } }),
      patch('w', 'b', { Status: 'Running' }),
      write('QP_InsertAttempt', 'c', { Attempt: { WorkItemHash: 'w', AttemptNumber: 1 } }),
      write('QP_UpdateAttemptOutcome', 'd', {
        WorkItemHash: 'w',
        AttemptNumber: 1,
        Patch: { Outcome: 'Complete' },
      }),
    ]);
    expect(await queue.outcomes()).toEqual(['applied', 'applied', 'applied', 'applied']);
    expect(queue.sent).toEqual([
      {
        lane: 'queue',
        action: 'QP_UpsertWorkItem',
        settings: {
          WorkItem: {
            WorkItemHash: 'w',
            Status: 'Pending',
            Odd: { a: 1 },
            Settings: { deep: [1] },
          },
        },
      },
      {
        lane: 'queue',
        action: 'QP_UpdateWorkItem',
        settings: { WorkItemHash: 'w', Patch: { Status: 'Running' } },
      },
      {
        lane: 'queue',
        action: 'QP_InsertAttempt',
        settings: { Attempt: { WorkItemHash: 'w', AttemptNumber: 1 } },
      },
      {
        lane: 'queue',
        action: 'QP_UpdateAttemptOutcome',
        settings: { WorkItemHash: 'w', AttemptNumber: 1, Patch: { Outcome: 'Complete' } },
      },
    ]);
    const runs = setup([
      manifest('r', 'e', { Status: 'Waiting' }),
      write('MS_RemoveManifest', 'f', { RunHash: 'r' }),
    ]);
    await runs.apply();
    expect(runs.sent.map(({ lane, action, settings }) => [lane, action, settings])).toEqual([
      ['manifest', 'MS_UpsertManifest', { Manifest: { Hash: 'r', Status: 'Waiting' } }],
      ['manifest', 'MS_RemoveManifest', { RunHash: 'r' }],
    ]);
  });

  test("an event goes out with GUID, time, count, the same each time; the hub's values stay (defect 9)", async () => {
    const { apply, sent } = setup([
      event('w', 'bare', { Payload: { a: 1 } }),
      event('w', 'full', { EventGUID: guidOf('full'), EmittedAt: 'then', Seq: 7 }),
    ]);
    await apply();
    await apply();
    expect(sent.slice(0, 2).map(({ settings }) => settings['Event'])).toEqual([
      {
        WorkItemHash: 'w',
        EventType: 'enqueued',
        Payload: { a: 1 },
        EventGUID: guidOf('bare'),
        EmittedAt: '1970-01-01T00:00:01.000Z',
        Seq: 0,
      },
      {
        WorkItemHash: 'w',
        EventType: 'enqueued',
        EventGUID: guidOf('full'),
        EmittedAt: 'then',
        Seq: 7,
      },
    ]);
    expect(sent.slice(2)).toEqual(sent.slice(0, 2));
  });

  test('it keeps no mark, takes nothing whole, and has nothing folded for it', async () => {
    const { carrier } = setup([]);
    expect(carrier).toMatchObject({ name: 'legacy', isAtomic: false, isVerbatim: true });
    expect(await carrier.mark()).toBeNull();
  });
});

describe('order', () => {
  test('keys side by side up to a bound, one key never twice at once and in its order (I7)', async () => {
    const keys = Array.from({ length: limits.proxyRequestsMax + 5 }, (_, n) => `w${n}`);
    const busy = new Set<string>();
    const seen = new Map<string, unknown[]>();
    let most = 0;
    let clashes = 0;
    const { apply } = setup(
      [0, 1, 2].flatMap((n) => keys.map((key) => upsert(key, `${key} ${n}`, { Priority: n }))),
      async (one) => {
        const key = hashOf(one);
        if (busy.has(key)) clashes += 1;
        busy.add(key);
        most = Math.max(most, busy.size);
        seen.set(key, [
          ...(seen.get(key) ?? []),
          (one.settings['WorkItem'] as JsonObject)['Priority'],
        ]);
        await nextTurn();
        busy.delete(key);
        return { Success: true };
      },
    );
    await apply();
    expect([clashes, most]).toEqual([0, limits.proxyRequestsMax]);
    for (const key of keys) expect(seen.get(key)).toEqual([0, 1, 2]);
  });

  test('nothing more of a key is sent behind a refusal; other keys go on (I7)', async () => {
    const { sent, outcomes } = setup(
      [patch('bad', 'a', {}), upsert('good', 'b'), patch('bad', 'c', {}), patch('good', 'd', {})],
      (one) => (hashOf(one) === 'bad' ? { Success: false, Reason: 'too long' } : { Success: true }),
    );
    expect(await outcomes()).toEqual(['rejected', 'applied', null, 'applied']);
    expect(sent.filter((one) => hashOf(one) === 'bad')).toHaveLength(1);
  });

  test('it fails only once nothing is on its way any more, and starts nothing after the failure', async () => {
    let open = 0;
    const keys = Array.from({ length: 40 }, (_, n) => upsert(`w${n}`, `${n}`));
    const { apply, sent } = setup(keys, async (one) => {
      if (hashOf(one) === 'w3') throw new TidemarkError('UNAVAILABLE', 'gone');
      open += 1;
      for (let n = 0; n < 5; n++) await nextTurn();
      open -= 1;
      return { Success: true };
    });
    await expect(apply()).rejects.toMatchObject({ code: 'UNAVAILABLE', message: 'gone' });
    expect(open).toBe(0);
    expect(sent.length).toBeLessThanOrEqual(limits.proxyRequestsMax);
  });
});

describe('what an answer means', () => {
  test.each([
    [{ Success: true, AlreadyPresent: true }, { Outcome: 'already-present' }],
    [{ Success: true, AlreadyAbsent: true }, { Outcome: 'not-found' }],
    [
      { Success: false, Reason: 'value too long for column Status' },
      { Outcome: 'rejected', Reason: 'value too long for column Status' },
    ],
    [{ Success: false }, { Outcome: 'rejected', Reason: expect.stringContaining('no reason') }],
  ])('%j settles it', async (outputs, result) => {
    expect((await setup([upsert('w', 'w')], () => outputs).apply()).results).toEqual([result]);
  });

  test.each([
    [{ Success: false, Reason: 'x', Code: 'UNAVAILABLE' }],
    [{ Success: false, Reason: 'Direct dispatch timed out after 5000ms.' }],
    [{ Success: false, Reason: 'database is locked' }],
    [{ Success: false, Reason: 'disk full' }],
    [{}],
    [{ Success: 'yes' }],
  ])('%j is no answer to go by: it is sent again', async (outputs) => {
    await expect(setup([upsert('w', 'w')], () => outputs).apply()).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
  });

  test.each([
    ['INVALID_MESSAGE', true],
    ['TOO_LARGE', true],
    ['CONFLICT', true],
    ['UNAVAILABLE', false],
    ['OVERLOADED', false],
    ['INTERNAL', false],
  ] as const)('a refusal %s: for good %s', async (code, isForGood) => {
    const { apply } = setup([upsert('w', 'w')], () => {
      throw new TidemarkError(code, 'because');
    });
    if (isForGood)
      expect((await apply()).results).toEqual([{ Outcome: 'rejected', Reason: 'because' }]);
    else await expect(apply()).rejects.toMatchObject({ code });
  });

  test.each([{ Code: 'NOT_FOUND', Reason: 'x' }, { Reason: 'Unknown work item' }])(
    'a patch of what is not there makes the row, where the beacon says so: %j',
    async (said) => {
      const outcome = write('QP_UpdateAttemptOutcome', 'b', {
        WorkItemHash: 'w',
        AttemptNumber: 2,
        Patch: { Outcome: 'Complete' },
      });
      const { sent, outcomes } = setup(
        [patch('w', 'a', { Status: 'Running' }), outcome],
        ({ action }) =>
          action.startsWith('QP_Update') ? { Success: false, ...said } : { Success: true },
      );
      expect(await outcomes()).toEqual(['applied', 'applied']);
      expect(sent.map(({ action, settings }) => [action, settings])).toEqual([
        ['QP_UpdateWorkItem', { WorkItemHash: 'w', Patch: { Status: 'Running' } }],
        ['QP_UpsertWorkItem', { WorkItem: { WorkItemHash: 'w', Status: 'Running' } }],
        [
          'QP_UpdateAttemptOutcome',
          { WorkItemHash: 'w', AttemptNumber: 2, Patch: { Outcome: 'Complete' } },
        ],
        [
          'QP_InsertAttempt',
          { Attempt: { WorkItemHash: 'w', AttemptNumber: 2, Outcome: 'Complete' } },
        ],
      ]);
    },
  );

  test('a row that cannot be made either is refused with the reason of that', async () => {
    const { apply } = setup([patch('w', 'a', { Status: 'Running' })], ({ action }) => ({
      Success: false,
      Reason: action === 'QP_UpdateWorkItem' ? 'not found' : 'Status is too long',
    }));
    expect((await apply()).results).toEqual([
      { Outcome: 'rejected', Reason: 'Status is too long' },
    ]);
  });

  test('what is to be removed and is unknown is removed; only there is "unknown" no refusal', async () => {
    const unknown = () => ({ Success: false, Reason: 'Unknown manifest in local store' });
    expect(
      await setup([write('MS_RemoveManifest', 'r', { RunHash: 'r' })], unknown).outcomes(),
    ).toEqual(['not-found']);
    expect(await setup([manifest('r', 'm')], unknown).outcomes()).toEqual(['rejected']);
  });
});
