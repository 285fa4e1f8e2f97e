/**
 * /metrics of a real worker and a real databeacon: what it says is true, well-formed, written down
 * in docs/METRICS.md, and all that alerts and dashboard ask for.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort } from '../../../runtime/bus/nats-server.ts';
import { typesIn, valueIn, valuesIn } from '../../kit/exposition.ts';
import { promtool } from '../../kit/servers/promtool.ts';
import { root } from '../../kit/source.ts';
import { Stack } from '../../kit/processes/stack.ts';
import { guidOf } from '../../kit/rows/trace.ts';
import { until } from '../../kit/until.ts';

let stack: Stack;
let beaconUrl: string;
beforeAll(async () => {
  const http = `127.0.0.1:${await freePort()}`;
  beaconUrl = `http://${http}`;
  stack = await Stack.start({ beaconArgs: ['--http', http] });
});
afterAll(() => stack[Symbol.asyncDispose]());

const scrape = async (url = stack.httpUrl) => {
  const response = await fetch(`${url}/metrics`);
  expect([response.status, response.headers.get('content-type')]).toEqual([
    200,
    expect.stringMatching(/^text\/plain; version=0\.0\.4/),
  ]);
  return response.text();
};
const send = async (action: string, name: string, settings: object) => {
  const lane = action.startsWith('QP_') ? 'queue' : 'manifest';
  const body = JSON.stringify({ EventGUID: guidOf(name), Settings: settings });
  const reply = await stack.hub.request(`tidemark.hub1.${lane}.${action}`, body, {
    'Content-Type': 'application/json',
  });
  return JSON.parse(new TextDecoder().decode(reply.data)) as { Success: boolean; Code?: string };
};
const upsert = (name: string, fields: object = {}) =>
  send('QP_UpsertWorkItem', name, { WorkItem: { WorkItemHash: `h-${name}`, ...fields } });

test('what was accepted, repeated, refused and delivered is what /metrics says', async () => {
  for (const name of ['a', 'b', 'c', 'a']) expect((await upsert(name)).Success).toBe(true);
  expect((await send('MS_UpsertManifest', 'm', { Manifest: { Hash: 'm' } })).Success).toBe(true);
  expect((await upsert('a', { Status: 'other' })).Code).toBe('CONFLICT');
  expect((await send('QP_UpsertWorkItem', 'x', { WorkItem: {} })).Code).toBe('INVALID_MESSAGE');
  await stack.drained();
  const text = await scrape();
  expect(valueIn(text, 'tidemark_accepted_total{lane="queue",action="QP_UpsertWorkItem"}')).toBe(3);
  expect(valueIn(text, 'tidemark_accepted_total{lane="manifest",action="MS_UpsertManifest"}')).toBe(
    1,
  );
  expect(valueIn(text, 'tidemark_journal_accepted{lane="queue"}')).toBe(3);
  expect(valueIn(text, 'tidemark_delivered_total{lane="queue",result="applied"}')).toBe(3);
  expect(valueIn(text, 'tidemark_rejected_total{reason="CONFLICT"}')).toBe(1);
  expect(valueIn(text, 'tidemark_rejected_total{reason="INVALID_MESSAGE"}')).toBe(1);
  expect(valueIn(text, 'tidemark_rejected_total{reason="OVERLOADED"}')).toBe(0);
  expect(valueIn(text, 'tidemark_conflict_total')).toBe(1);
  expect(valueIn(text, 'tidemark_commit_duration_seconds_count')).toBeGreaterThan(3);
  expect(valueIn(text, 'tidemark_flush_duration_seconds_count{lane="manifest"}')).toBe(1);
  expect(valueIn(text, 'tidemark_beacon_state{beacon="db-1",state="bootstrapped"}')).toBe(1);
  expect(valueIn(text, 'tidemark_beacon_state{beacon="db-1",state="error"}')).toBe(0);
  expect(valueIn(text, 'tidemark_replay_lag_items{beacon="db-1"}')).toBe(0);
  expect(
    Math.abs(
      (valueIn(text, 'tidemark_last_delivery_timestamp_seconds{beacon="db-1"}') ?? 0) -
        Date.now() / 1000,
    ),
  ).toBeLessThan(600);
  expect(valueIn(text, 'tidemark_schema_version')).toBe(6);
  expect(valuesIn(text, 'tidemark_balance_difference')).toEqual([0, 0]);
  const beacon = await scrape(beaconUrl);
  expect(valueIn(beacon, 'tidemark_databeacon_rows_total{outcome="applied"}')).toBe(4);
  expect(valueIn(beacon, 'tidemark_databeacon_apply_duration_seconds_count')).toBe(
    valueIn(
      beacon,
      'tidemark_databeacon_requests_total{capability="DataBeaconBatch",action="Apply",outcome="ok"}',
    ),
  );
  expect(valueIn(beacon, 'tidemark_databeacon_connection_up{connection="1",engine="sqlite"}')).toBe(
    1,
  );
});

test('with the databeacon away the buffer and the lag grow by what is accepted', async () => {
  await stack.beacon.kill();
  await until(
    'the worker sees that it is away',
    async () => (await stack.status()).State === 'waiting-for-beacon',
  );
  for (const name of ['d', 'e']) await upsert(name);
  const text = await scrape();
  expect(valueIn(text, 'tidemark_buffer_size_items{lane="queue"}')).toBe(2);
  expect(valueIn(text, 'tidemark_replay_lag_items{beacon="db-1"}')).toBe(2);
  expect(valueIn(text, 'tidemark_buffer_oldest_age_seconds{lane="queue"}')).toBeGreaterThan(0);
  expect(valueIn(text, 'tidemark_beacon_state{beacon="db-1",state="waiting-for-beacon"}')).toBe(1);
  stack.beacon.restart();
  await stack.drained();
});

test('over a restart of the worker, what is from tables stays, what counts its own events begins anew', async () => {
  await stack.worker.stop();
  stack.worker.restart();
  await stack.drained();
  const text = await scrape();
  expect(valueIn(text, 'tidemark_delivered_total{lane="queue",result="applied"}')).toBe(5);
  expect(valueIn(text, 'tidemark_journal_accepted{lane="queue"}')).toBe(5);
  expect(valueIn(text, 'tidemark_accepted_total{lane="queue",action="QP_UpsertWorkItem"}')).toBe(0);
});

test('promtool finds nothing wrong with either, and no label holds an identity of a write', async () => {
  for (const url of [stack.httpUrl, beaconUrl]) {
    const text = await scrape(url);
    expect(promtool(['check', 'metrics'], { input: text })).toEqual({ status: 0, text: '' });
    expect(text).not.toMatch(/[0-9a-f]{8}-[0-9a-f]{4}-|h-[a-e]"/);
  }
  expect(
    promtool(['check', 'metrics'], { input: '# TYPE tidemark_x_total gauge\ntidemark_x_total 1\n' })
      .text,
  ).toMatch(/tidemark_x_total/);
});

test('docs/METRICS.md lists exactly the metrics there are, with their types', async () => {
  const listed = [
    ...readFileSync(join(root, 'docs', 'METRICS.md'), 'utf8').matchAll(/^\| `(\w+)` \| (\w+) \|/gm),
  ].map(([, name = '', type = '']) => `${name} ${type}`);
  const real = [await scrape(), await scrape(beaconUrl)].flatMap((text) =>
    [...typesIn(text)].map(([name, type]) => `${name} ${type}`),
  );
  expect(listed.toSorted()).toEqual(real.toSorted());
  expect(new Set(listed).size).toBe(listed.length);
});

test('every metric that alerts and dashboard ask for has series in real output', async () => {
  const text = `${await scrape()}\n${await scrape(beaconUrl)}`;
  const asked = [
    join('prometheus', 'alerts.yml'),
    join('prometheus', 'alerts.test.yml'),
    join('grafana', 'tidemark.json'),
  ].flatMap((path) =>
    [...readFileSync(join(root, 'deploy', path), 'utf8').matchAll(/\btidemark_[a-z_]+/g)].map(
      ([name]) => name,
    ),
  );
  expect(asked.length).toBeGreaterThan(60);
  expect([...new Set(asked)].filter((name) => valuesIn(text, name).length === 0)).toEqual([]);
});
