/**
 * Fifteen kinds of message that cost more than they look, each from whoever has the least rights
 * that it takes.
 */
import { Buffer } from 'node:buffer';
import { gzipSync } from 'node:zlib';
import { head, nested, packed, sharedReferences } from './message-pack.ts';
import type { Stranger } from './roles.ts';
import { guidOf } from '../rows/trace.ts';

type Bus = { subject: string; bytes: Uint8Array; headers?: [string, string][] };
export type LoadKind = { name: string } & (
  | { role: Stranger; message: (n: number) => Bus }
  | { role: 'loopback'; port: 'worker'; request: string; isHeld: boolean }
);

const pack: [string, string] = ['Content-Type', 'application/msgpack'];
const json = (value: unknown) => Buffer.from(JSON.stringify(value));
const write = 'tidemark.hub1.queue.QP_UpsertWorkItem';
const manyValues = gzipSync(
  Buffer.concat([head(0xdd, 45_000_000), Buffer.alloc(45_000_000, 0xc0)]),
  {
    level: 1,
  },
);
const fullBatch = json({ Items: Array.from({ length: 5_000 }, () => ({})) });
const wideFilter = `/1.0/db-1/UVQueueWorkItems/FilteredTo/${'FBV~Status~LK~%25a%25~'.repeat(100)}/0/1000`;

/** Subjects of capabilities with the hub in them; `scope` is empty where beacons do not hear that. */
export function loadKinds(scope: string): LoadKind[] {
  return [...hubKinds(), ...meshKinds(scope), ...questions, ...httpKinds];
}

/** What a hub may send to its own worker. */
function hubKinds(): LoadKind[] {
  return [
    {
      name: 'write with shared references',
      role: 'hub1',
      message: () => ({ subject: write, bytes: sharedReferences(60).bytes, headers: [pack] }),
    },
    {
      name: 'write of 45 million values, zipped',
      role: 'hub1',
      message: () => ({
        subject: write,
        bytes: manyValues,
        headers: [pack, ['Content-Encoding', 'gzip']],
      }),
    },
    {
      name: 'write nested 100 000 deep',
      role: 'hub1',
      message: () => ({ subject: write, bytes: nested(100_000).bytes, headers: [pack] }),
    },
    {
      name: 'first of two chunks, 100 kB',
      role: 'hub1',
      message: (n) => ({
        subject: 'tidemark.hub1.queue.chunk',
        bytes: packed({
          Transfer: guidOf(`half-sent ${n}`),
          Index: 0,
          Count: 2,
          Data: new Uint8Array(100_000),
        }),
        headers: [pack],
      }),
    },
    {
      name: 'batch of 5 000 items, all wrong',
      role: 'hub1',
      message: () => ({ subject: 'tidemark.hub1.queue.batch', bytes: fullBatch }),
    },
    {
      name: 'list of 5 000 rows',
      role: 'hub1',
      message: () => ({
        subject: 'tidemark.hub1.queue.QP_ListWorkItems',
        bytes: json({ Settings: { Filter: { Limit: 5_000 } } }),
      }),
    },
    {
      name: 'one-way write that is wrong, 100 kB',
      role: 'hub1',
      message: (n) => ({
        subject: 'tidemark-in.hub1.queue.QP_UpsertWorkItem',
        bytes: json({ EventGUID: guidOf(`one-way ${n}`), Settings: { x: 'y'.repeat(100_000) } }),
      }),
    },
  ];
}

/** What a beacon, and the worker of another hub, may send on the mesh. */
function meshKinds(scope: string): LoadKind[] {
  const toBeacon = (capability: string, settings: object) => (): Bus => ({
    subject: `mesh.db-1.${capability}${scope}`,
    bytes: json({ Settings: { IDBeaconConnection: 1, HubID: 'hub2', ...settings } }),
  });
  return [
    {
      name: 'presence in its own name, 50 kB',
      role: 'db-3',
      message: (n) => ({
        subject: scope === '' ? 'mesh.presence' : 'mesh.presence.db-3',
        bytes: json({
          BeaconID: 'db-3',
          Status: 'Online',
          Nonce: `${n}`,
          Tags: { PersistenceConnectionID: `${n}`, x: 'y'.repeat(50_000) },
          Connections: [],
        }),
      }),
    },
    {
      name: 'batch without a change',
      role: 'worker2',
      message: toBeacon('DataBeaconBatch.Apply', {
        Lane: 'queue',
        Epoch: 'e',
        Mutations: [],
        ThroughSeq: 0,
      }),
    },
    {
      name: 'read through the proxy, 100 terms',
      role: 'worker2',
      message: toBeacon('MeadowProxy.Request', { Method: 'GET', Path: wideFilter }),
    },
  ];
}

const questions: readonly LoadKind[] = [
  {
    name: 'status',
    role: 'worker2',
    message: () => ({ subject: 'tidemark.hub1.control.status', bytes: json({}) }),
  },
  {
    name: 'who is there',
    role: 'worker2',
    message: () => ({ subject: '$SRV.PING.tidemark-worker', bytes: new Uint8Array() }),
  },
];

const httpKinds: readonly LoadKind[] = [
  {
    name: 'looking for the writes of a key',
    role: 'loopback',
    port: 'worker',
    isHeld: false,
    request: 'GET /api/locate?key=none HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n',
  },
  {
    name: 'changing call without a token',
    role: 'loopback',
    port: 'worker',
    isHeld: false,
    request:
      'POST /api/pause HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: https://evil.example\r\n' +
      'Connection: close\r\nContent-Length: 0\r\n\r\n',
  },
  {
    name: 'connection that sends nothing',
    role: 'loopback',
    port: 'worker',
    isHeld: true,
    request: '',
  },
];
