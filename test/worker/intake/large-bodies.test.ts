/** Large bodies are decoded in a thread: what they become, in turns, and within bounds. */
import { createHash, randomUUID } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { decodeBrief, decodeSmallBody, encodeBody } from '../../../contracts/body/codec.ts';
import type { JsonObject } from '../../../contracts/body/json-value.ts';
import { limits } from '../../../contracts/limits.ts';
import { systemClock } from '../../../runtime/clock.ts';
import { decodeLarge } from '../../../worker/intake/large-body.ts';
import { type Arrived, LargeBodies } from '../../../worker/intake/large-bodies.ts';
import { contentDigest } from '../../../worker/state/entry-identity.ts';
import { openState } from '../../kit/worker/fixture.ts';

const MiB = 1024 * 1024;

function start(): LargeBodies {
  const large = new LargeBodies(systemClock);
  onTestFinished(() => large.close());
  return large;
}

function reader(values: Record<string, string>) {
  return { get: (name: string) => values[name] ?? '' };
}

function manifestOf(chars: number, EventGUID = randomUUID()): object {
  return { EventGUID, Settings: { Manifest: { Hash: 'm1', Text: 'x'.repeat(chars) } } };
}

function arrived(value: unknown, more: Partial<Arrived> = {}): Arrived {
  return {
    body: gzipSync(encodeBody(value, 'json')),
    headers: reader({ 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' }),
    lane: 'manifest',
    action: 'MS_UpsertManifest',
    ...more,
  };
}

describe('what is small', () => {
  const zipped = reader({ 'Content-Encoding': 'gzip' });

  test('a body is small by its bytes once unzipped, whatever it says (I14)', () => {
    const small = encodeBody(manifestOf(1_000), 'json');
    expect(decodeSmallBody(small)?.value).toMatchObject({ Settings: {} });
    expect(decodeSmallBody(gzipSync(small), zipped)?.value).toMatchObject({ Settings: {} });
    const large = encodeBody(manifestOf(limits.smallBodyBytesMax), 'json');
    expect(decodeSmallBody(large)).toBe(null);
    expect(decodeSmallBody(gzipSync(large), zipped)).toBe(null);
    const lying = Buffer.from(gzipSync(large));
    lying.writeUInt32LE(9, lying.length - 4);
    expect(decodeSmallBody(lying, zipped)).toBe(null);
    expect(() => decodeBrief(lying, zipped)).toThrow('more than');
    const pieces = Buffer.concat([gzipSync(small.subarray(0, 500)), gzipSync(small.subarray(500))]);
    expect(decodeLarge({ ...wholeOf(pieces), action: 'MS_UpsertManifest' }).kind).toBe('one');
  });

  const wholeOf = (bytes: Uint8Array) => ({
    bytes,
    contentType: 'application/json',
    contentEncoding: 'gzip',
    lane: 'manifest' as const,
    action: '',
  });
});

test('a write comes back as the journal keeps it, a batch item by item, a refusal with its code', async () => {
  const large = start();
  const value = manifestOf(MiB);
  const one = await large.decode(arrived(value), 'a');
  expect(one).toMatchObject({
    kind: 'one',
    envelope: { kind: 'write', key: 'm1', action: 'MS_UpsertManifest', waitMs: 0 },
  });
  const envelope = one.kind === 'one' && one.envelope.kind === 'write' ? one.envelope : null;
  expect(JSON.parse(envelope?.settingsText ?? '')).toEqual(
    (value as { Settings: object }).Settings,
  );
  const items = { Items: [{ Action: 'MS_UpsertManifest', ...value }, { Action: 'nonsense' }] };
  const batch = await large.decode(arrived(items, { action: 'batch' }), 'a');
  expect(batch).toMatchObject({
    kind: 'batch',
    items: [{ key: 'm1' }, { Code: 'INVALID_MESSAGE' }],
  });
  await expect(large.decode(arrived({ Settings: { Manifest: 7 } }), 'a')).rejects.toMatchObject({
    code: 'INVALID_MESSAGE',
    message: expect.stringContaining('Settings') as string,
  });
  await expect(large.decode(arrived(manifestOf(limits.bodyBytesMax)), 'a')).rejects.toMatchObject({
    code: 'TOO_LARGE',
  });
});

test('meanwhile the main thread stands still for no more than a blink (I14)', async () => {
  const large = start();
  await large.decode(arrived(manifestOf(1)), 'a');
  const body = arrived({ Settings: { Manifest: ' '.repeat(60 * MiB) } });
  const startedMs = performance.now();
  let [longest, last] = [0, startedMs];
  const timer = setInterval(() => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }, 5);
  onTestFinished(() => clearInterval(timer));
  await Promise.allSettled(Array.from({ length: 3 }, () => large.decode(body, 'a')));
  // On this thread each of the three would be a third of it at a stretch.
  expect(longest).toBeLessThan((performance.now() - startedMs) / 6);
});

test('what waits is bounded, of one sender and in all; senders take turns (I9, I14)', async () => {
  const large = start();
  const order: string[] = [];
  const send = (sender: string, chars: number) =>
    large.decode(arrived(manifestOf(chars)), sender).then(
      () => order.push(sender),
      (error: { code: string }) => order.push(`${sender} ${error.code}`),
    );
  const bomb = 60 * MiB;
  const all = Array.from({ length: 7 }, () => send('greedy', bomb));
  all.push(send('other', 10));
  await Promise.all(all);
  expect(order.filter((one) => one === 'greedy OVERLOADED').length).toBeGreaterThan(0);
  expect(order.slice(0, 5)).toContain('other');
  expect(order.indexOf('other')).toBeLessThan(order.lastIndexOf('greedy'));
}, 120_000);

test('a repeat of a large write is a duplicate, other content a conflict, whatever way it comes (I3)', () => {
  const { journal } = openState();
  const guid = randomUUID();
  const decoded = (value: object) => {
    const result = decodeLarge({
      bytes: encodeBody(value, 'json'),
      contentType: 'application/json',
      contentEncoding: '',
      lane: 'manifest',
      action: 'MS_UpsertManifest',
    });
    if (result.kind !== 'one' || result.envelope.kind !== 'write') throw new Error('no write');
    return result.envelope;
  };
  const first = manifestOf(9, guid);
  const packed = decoded(first);
  const other = decoded(manifestOf(8, guid));
  const { settingsText, digest: _, ...rest } = packed;
  const plain = { ...rest, settings: JSON.parse(settingsText) as never };
  const [appended] = journal.append([packed], 1);
  expect(journal.append([packed, plain], 2)).toEqual([
    { ...appended, isNew: false },
    { ...appended, isNew: false },
  ]);
  expect(journal.append([other], 3)[0]).toMatchObject({ code: 'CONFLICT' });
  expect(journal.readAfter('manifest', 0, 9, 1e9)[0]?.settings).toEqual(plain.settings);
});

test('the digest of a content is the one that stores have, whatever the order of members', () => {
  const sorted = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(sorted);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value)
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, one]) => [name, sorted(one)]),
    );
  };
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
      const content = JSON.parse(JSON.stringify(value)) as JsonObject;
      expect(contentDigest('A', content).toString('hex')).toBe(
        createHash('sha256')
          .update(`A\n${JSON.stringify(sorted(content))}`)
          .digest('hex')
          .slice(0, 32),
      );
    }),
    { numRuns: 1_000 },
  );
});
