/**
 * What the metrics make of their sources: delivered writes never go down, a beacon that is gone is
 * gone, and the balance is not counted more often than it may cost.
 */
import { Registry } from '@prometheus-io/client';
import { expect, test } from 'vitest';
import type { Capacity, LaneStatus } from '../../../contracts/status.ts';
import type { Mark } from '../../../hwm/mark-store.ts';
import { BalanceCheck } from '../../../worker/metrics/metrics.ts';
import { Gauges, type GaugeSources } from '../../../worker/metrics/gauges.ts';
import { Meter } from '../../../worker/metrics/meter.ts';
import { valueIn, valuesIn } from '../../kit/exposition.ts';

const capacity: Capacity = {
  UsedBytes: 1,
  BytesMax: 2,
  FreeBytes: null,
  FreeBytesMin: null,
  Pending: 0,
  PendingMax: 3,
  ReserveBytes: 0,
  Refusing: null,
  TimeToFullSeconds: null,
};
const status: LaneStatus = {
  State: 'bootstrapped',
  AssignedBeaconID: 'db-1',
  IDBeaconConnection: 1,
  LastError: null,
  BootstrappedAt: null,
  AssignedAt: null,
  AssignedBy: 'operator',
  Seq: { Head: 0, Mark: 0 },
  Pending: 0,
  OldestPendingMs: 0,
  DeadLetters: 0,
  Carrier: 'batch',
  IsPaused: false,
};
const markOf = (
  beacon: string,
  applied: number,
  present = 0,
  appliedMs: number | null = 5_000,
): Mark => ({
  database: 1,
  beacon,
  connection: 1,
  storeId: '',
  seq: 1,
  guid: null,
  recordedMs: null,
  appliedMs,
  applied,
  present,
  skipped: 0,
  superseded: 0,
  carrier: 'batch',
  epoch: '',
  epochBefore: null,
  seqBefore: null,
});

function setup() {
  const registry = new Registry();
  const gauges = new Gauges(registry);
  const sources: GaugeSources = {
    lane: () => status,
    accepted: () => 7,
    marks: () => [],
    difference: () => 0,
    capacity: () => capacity,
    store: () => ({ fileBytes: 1, walBytes: 1, schemaVersion: 3, faults: 2, refused: 0 }),
    process: () => ({ waiting: 0, isBusConnected: true }),
    dedup: () => ({ ForMs: 3_600_000, Entries: 10, Known: 4 }),
    loopDelay: () => ({ longest: 0.4, usual: 0.01 }),
  };
  const scrape = async (more: Partial<GaugeSources>) => {
    gauges.collect({ ...sources, ...more });
    return registry.metrics();
  };
  return { scrape };
}

test('delivered writes are those of all databases, and do not go down when some are to be sent again', async () => {
  const { scrape } = setup();
  const delivered = async (...marks: Mark[]) =>
    valueIn(
      await scrape({ marks: (lane) => (lane === 'queue' ? marks : []) }),
      'tidemark_delivered_total{lane="queue",result="applied"}',
    );
  expect(await delivered(markOf('a', 10), markOf('b', 5))).toBe(15);
  expect(await delivered(markOf('a', 4), markOf('b', 5))).toBe(15);
  expect(await delivered(markOf('a', 12), markOf('b', 5))).toBe(17);
});

test('a lane that is assigned elsewhere takes its beacon off the metrics, and its last delivery stays', async () => {
  const { scrape } = setup();
  const marks = () => [markOf('db-1', 1), markOf('never', 0, 0, null)];
  const before = await scrape({
    marks,
    lane: () => ({ ...status, State: 'error', Pending: 2, OldestPendingMs: 1_500 }),
  });
  expect(valueIn(before, 'tidemark_replay_lag_items{beacon="db-1"}')).toBe(4);
  expect(valueIn(before, 'tidemark_replay_lag_seconds{beacon="db-1"}')).toBe(1.5);
  expect(valueIn(before, 'tidemark_beacon_state{beacon="db-1",state="error"}')).toBe(1);
  const after = await scrape({
    marks,
    lane: () => ({ ...status, AssignedBeaconID: null, State: 'unassigned' }),
  });
  expect(valuesIn(after, 'tidemark_replay_lag_items')).toEqual([]);
  expect(valuesIn(after, 'tidemark_beacon_state')).toEqual([]);
  expect(valueIn(after, 'tidemark_last_delivery_timestamp_seconds{beacon="db-1"}')).toBe(5);
  expect(
    valueIn(after, 'tidemark_last_delivery_timestamp_seconds{beacon="never"}'),
  ).toBeUndefined();
  expect(valueIn(after, 'tidemark_store_faults_total')).toBe(2);
  expect(valueIn(after, 'tidemark_buffer_time_to_full_seconds')).toBe(Infinity);
});

test('the balance is counted anew only when a thousand times its cost has gone by', () => {
  let nowMs = 0;
  let counts = 0;
  const check = new BalanceCheck(
    () => {
      nowMs += 25;
      return counts++;
    },
    { monotonicMs: () => nowMs },
  );
  expect(check.difference('queue')).toBe(0);
  nowMs = 25_024;
  expect(check.difference('queue')).toBe(0);
  nowMs = 25_025;
  expect(check.difference('queue')).toBe(1);
  expect(check.difference('manifest')).toBe(2);
});

test('reasons are codes, whatever the sentence', async () => {
  const meter = new Meter();
  meter.deadLettered('conflict: a row with this key has other values in Status');
  meter.deadLettered('rejected: no');
  meter.deadLettered('its body is gone from the journal');
  meter.rejected('CONFLICT');
  const text = await meter.registry.metrics();
  expect([
    valueIn(text, 'tidemark_dead_lettered_total{reason="conflict"}'),
    valueIn(text, 'tidemark_dead_lettered_total{reason="rejected"}'),
  ]).toEqual([1, 2]);
  expect(valuesIn(text, 'tidemark_dead_lettered_total')).toHaveLength(2);
  expect(valueIn(text, 'tidemark_conflict_total')).toBe(1);
});
