/**
 * Manifests larger than the bus takes in one message: in chunks to the worker, in chunks to the
 * databeacon, and back again as they were sent.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readRows } from '../kit/rows/compare.ts';
import { Stack } from '../kit/processes/stack.ts';

describe('bodies larger than a message', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.start();
  }, 120_000);
  afterAll(async () => {
    await stack?.[Symbol.asyncDispose]();
  });

  test('a manifest of 24 MB that cannot be compressed is accepted, delivered whole, delays no others', async () => {
    const { client } = stack.hub;
    const blob = randomBytes(18_000_000).toString('base64');
    const reply = await client.upsertManifest({
      Hash: 'large',
      Status: 'Complete',
      Output: { blob },
    });
    expect(reply).toMatchObject({ Success: true, Durability: 'synced' });
    await client.upsertManifest({ Hash: 'small', Status: 'Complete' });
    await stack.drained();
    const rows = readRows(stack.backendPath, 'UVManifest');
    const large = rows.find((row) => row['Hash'] === 'large');
    expect(
      (JSON.parse(String(large?.['ManifestJSON'])) as { Output: { blob: string } }).Output.blob ===
        blob,
    ).toBe(true);
    expect(rows.some((row) => row['Hash'] === 'small')).toBe(true);
    // Back in pieces, over both hops.
    const read = await client.getManifest('large');
    expect((read['Manifest'] as { Output: { blob: string } } | null)?.Output.blob === blob).toBe(
      true,
    );
  }, 180_000);

  test('who does not say it can take an answer in pieces is told how, and what to do', async () => {
    const answer = await stack.hub.request(
      'tidemark.hub1.manifest.MS_GetManifest',
      JSON.stringify({ Settings: { RunHash: 'large' } }),
      { 'Content-Type': 'application/json' },
    );
    expect(JSON.parse(Buffer.from(answer.data).toString())).toMatchObject({
      Success: false,
      Code: 'TOO_LARGE',
      Reason: expect.stringContaining('Tidemark-Accept: chunks'),
    });
  });

  test('a batch whose refusals fill a message is answered with shorter ones, for one was stored', async () => {
    // Names of fields are quoted; a control character takes six bytes in JSON.
    const name = '\u0001'.repeat(950);
    const items = Array.from({ length: 2_000 }, (_, at) => ({
      Action: 'QP_UpsertWorkItem',
      EventGUID: randomUUID(),
      Settings: { WorkItem: { WorkItemHash: `w${at}`, ...(at > 0 ? { [name]: '\ud800' } : {}) } },
    }));
    const answer = await stack.hub.request(
      'tidemark.hub1.queue.batch',
      gzipSync(JSON.stringify({ Items: items })),
      { 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' },
    );
    const { Results } = JSON.parse(Buffer.from(answer.data).toString()) as {
      Results: { Success: boolean; Reason?: string }[];
    };
    expect(Results).toHaveLength(2_000);
    expect(Results[0]).toMatchObject({ Success: true, Durability: 'synced' });
    expect(Results[1]).toMatchObject({ Success: false, Code: 'INVALID_MESSAGE' });
    expect(Results[1]?.Reason).toMatch(/^Items\[1\]\.Settings\.WorkItem\./);
  });

  test('a manifest of 30 MB that compresses is read back as it was sent', async () => {
    const { client } = stack.hub;
    const log = Array.from(
      { length: 300_000 },
      (_, index) => `line ${index} of a log that says much the same each time, over and over`,
    );
    await client.upsertManifest({ Hash: 'log', Status: 'Complete', Log: log });
    await stack.drained();
    const read = await client.getManifest('log');
    expect((read['Manifest'] as { Log: string[] } | null)?.Log.length).toBe(log.length);
  });

  test('over 64 MiB is refused as TOO_LARGE before it is sent, and nothing is stored', async () => {
    const { client } = stack.hub;
    const blob = 'x'.repeat(65 * 1024 * 1024);
    await expect(
      client.upsertManifest({ Hash: 'too-large', Output: { blob } }),
    ).rejects.toMatchObject({ code: 'TOO_LARGE' });
    expect(await client.getManifest('too-large')).toMatchObject({ Success: true, Manifest: null });
  });
});
