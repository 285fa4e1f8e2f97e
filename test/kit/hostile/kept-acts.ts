/**
 * Messages that once ended, deafened or fooled a process. They are kept as they were sent, so that
 * a change of the generator does not change them.
 */
import { Buffer } from 'node:buffer';
import { head, packed, sharedReferences } from './message-pack.ts';
import type { Act } from './acts.ts';
import type { Stranger } from './roles.ts';
import { gzipSync } from 'node:zlib';
import { guidOf } from '../rows/trace.ts';

const json: [string, string][] = [['Content-Type', 'application/json']];
const pack: [string, string][] = [['Content-Type', 'application/msgpack']];
const zipped: [string, string] = ['Content-Encoding', 'gzip'];

function sent(
  role: Stranger,
  subject: string,
  bytes: Uint8Array,
  headers: [string, string][] = json,
): Act {
  return { kind: 'bus', act: { role, messages: [{ subject, bytes, headers }] } };
}

const text = (value: unknown) => Buffer.from(JSON.stringify(value));
const write = 'tidemark.hub1.queue.QP_UpsertWorkItem';
const apply = 'mesh.db-1.DataBeaconBatch.Apply';
const online = { Status: 'Online', Nonce: 'n', Capabilities: [], Connections: [] };
/** As a worker would sign off everything of another hub. */
const signOff = {
  Settings: {
    IDBeaconConnection: 1,
    HubID: 'hub1',
    Lane: 'queue',
    Epoch: 'e',
    Mutations: [],
    ThroughSeq: 2 ** 53 - 2,
  },
};

/** Forty million values in a few hundred kilobytes. */
const zippedValues = gzipSync(
  Buffer.concat([head(0xdd, 40_000_000), Buffer.alloc(40_000_000, 0x80)]),
  { level: 1 },
);

export const keptActs: readonly Act[] = [
  // A worker hung for good.
  sent('hub1', write, sharedReferences(40).bytes, pack),
  sent(
    'hub1',
    'tidemark-in.hub1.queue.QP_UpsertWorkItem',
    packed({ EventGUID: guidOf('kept'), Settings: { WorkItem: sharedReferences(40) } }),
    pack,
  ),
  // Gigabytes out of kilobytes.
  sent('hub1', write, zippedValues, [...pack, zipped]),
  // Object.prototype was polluted, and every request timed out.
  sent('db-3', 'mesh.presence.db-3', text({ ...online, BeaconID: '__proto__', Tags: { a: '1' } })),
  sent('operator1', 'tidemark.hub1.control.locate', Buffer.from('{"__proto__":{"Verb":"x"}}')),
  // Seed 1, step 61: a tag without a text closed the reader of the bus.
  sent(
    'db-3',
    'mesh.presence.db-3',
    text({ ...online, BeaconID: 'db-3', Tags: { a: { toString: 1 } } }),
  ),
  // Seed 3, step 655: a beacon's word was unzipped, whatever it said, and a hundred took ten seconds.
  {
    kind: 'bus',
    act: {
      role: 'db-3',
      messages: Array.from({ length: 100 }, () => ({
        subject: 'mesh.presence.db-3',
        bytes: zippedValues,
        headers: [...pack, zipped],
      })),
    },
  },
  // A tag in another's name took the lane away.
  sent(
    'db-3',
    'mesh.presence.db-3',
    text({ ...online, BeaconID: 'db-1', Tags: {}, Status: 'Draining' }),
  ),
  sent('db-3', 'mesh.presence.db-1', text({ ...online, BeaconID: 'db-1', Status: 'Draining' })),
  // All of another hub's writes were signed off unwritten.
  sent('worker2', apply, text(signOff)),
  sent('worker2', `${apply}.hub2`, text(signOff)),
  sent('worker2', `${apply}.hub1`, text(signOff)),
  {
    kind: 'http',
    act: {
      role: 'page',
      target: 'db-1',
      requests: [
        {
          bytes: Buffer.from(
            'POST /1.0/db-1/UVQueueWorkItem?/Schema/Validate HTTP/1.1\r\nHost: 127.0.0.1\r\n' +
              'Connection: close\r\nContent-Length: 45\r\n\r\n' +
              '{"HubID":"hub9","WorkItemHash":"stolen-here"}',
          ),
          isEnded: true,
        },
      ],
    },
  },
  // The operator was locked out with the right token.
  {
    kind: 'http',
    act: {
      role: 'page',
      target: 'worker',
      requests: Array.from({ length: 70 }, () => ({
        bytes: Buffer.from(
          'POST /api/pause HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: https://evil.example\r\n' +
            'Connection: close\r\nContent-Length: 0\r\n\r\n',
        ),
        isEnded: true,
      })),
    },
  },
];
