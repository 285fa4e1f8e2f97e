/**
 * I8 on a real file: lists applied twice, cut otherwise, or cut off by SIGKILL leave the rows of
 * applying them once.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { RowMutation } from '../../../contracts/mutation.ts';
import { persistenceSchema } from '../../../contracts/schema.ts';
import { SqliteEngine } from '../../../beacon/engines/sqlite/engine.ts';
import { ensureSchema } from '../../../beacon/capabilities/schema-manager.ts';
import {
  applyTo,
  event,
  hub,
  manifest,
  openBackend,
  removal,
  rowsIn,
  tempFolder,
  workItem,
} from '../../kit/beacon/fixture.ts';
import { root } from '../../kit/source.ts';

const key = fc.constantFrom('a', 'b', 'c');
const change = fc.oneof(
  fc.record({
    kind: fc.constant('write'),
    key,
    Status: fc.constantFrom('x', 'y', null),
    Priority: fc.integer({ min: 0, max: 3 }),
  }),
  fc.record({ kind: fc.constant('fill'), key, value: fc.constantFrom('one', 'two') }),
  fc.record({
    kind: fc.constant('merge'),
    key,
    member: fc.constantFrom('m', 'n'),
    value: fc.integer(),
  }),
  fc.record({ kind: fc.constant('event'), key: fc.uuid() }),
  fc.record({ kind: fc.constant('manifest'), key, Status: fc.constantFrom('x', 'y') }),
  fc.record({ kind: fc.constant('remove'), key }),
);

function toMutation(
  { kind, key: name, ...rest }: { kind: string; key: string; [field: string]: unknown },
  seq: number,
): RowMutation {
  switch (kind) {
    case 'write':
      return workItem(name, seq, rest as Record<string, string>);
    case 'fill':
      return workItem(name, seq, {}, { Fill: { StartedAt: String(rest['value']) } });
    case 'merge':
      return workItem(
        name,
        seq,
        {},
        { Merge: { Extra: { [String(rest['member'])]: Number(rest['value']) } } },
      );
    case 'event':
      return event(name, seq, { WorkItemHash: 'a' });
    case 'manifest':
      return manifest(name, seq, rest as Record<string, string>);
    default:
      return removal(name, seq);
  }
}

/** Everything but the numbers of the rows. */
function contents(path: string): unknown[] {
  return ['UVQueueWorkItem', 'UVQueueWorkItemEvent', 'UVManifest', 'UVBridgeMark'].map((table) =>
    rowsIn(path, `SELECT * FROM ${table}`)
      .map((row) => JSON.stringify({ ...row, [`ID${table}`]: 0 }))
      .toSorted(),
  );
}

describe('applying again', () => {
  test('a list applied twice, or cut into other batches with repeats, leaves the rows of once (I8)', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(change, { minLength: 1, maxLength: 25 }),
        fc.array(
          fc.record({
            from: fc.nat(25),
            count: fc.integer({ min: 1, max: 25 }),
            isOtherEpoch: fc.boolean(),
          }),
          { maxLength: 5 },
        ),
        async (changes, cuts) => {
          const mutations = changes.map((one, at) => toMutation(one, at + 1));
          const reference = await openBackend();
          await applyTo(reference.engine, mutations);
          const again = await openBackend();
          for (const at of mutations.keys()) {
            await applyTo(again.engine, mutations.slice(at, at + 1));
            // Repeats of what was applied up to here, with the mark and without one.
            for (const { from, count, isOtherEpoch } of cuts) {
              const repeat = mutations.slice(0, at + 1).slice(from, from + count);
              await applyTo(again.engine, repeat, isOtherEpoch ? { isBelowMark: true } : {});
            }
          }
          expect(contents(again.path)).toEqual(contents(reference.path));
          await reference.engine.close();
          await again.engine.close();
        },
      ),
      { numRuns: 25 },
    );
  });

  test('SIGKILL amid applying leaves mark and rows consistent; going on completes them (I8)', async () => {
    const folder = tempFolder();
    const path = join(folder, 'backend.sqlite');
    const child = spawn(process.execPath, [join(root, 'test/kit/beacon/apply-child.ts'), path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let heard = 0;
    for await (const chunk of child.stdout) {
      heard = Math.max(heard, ...String(chunk).split('\n').filter(Boolean).map(Number));
      if (heard >= 1_000) break;
    }
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    const engine = new SqliteEngine(path);
    await ensureSchema(engine, 'ultravisor', persistenceSchema);
    const [mark] = rowsIn(path, 'SELECT Seq FROM UVBridgeMark') as { Seq: number }[];
    const [count] = rowsIn(
      path,
      'SELECT count(*) AS n, max(BridgeSeq) AS top FROM UVQueueWorkItem',
    ) as { n: number; top: number }[];
    expect(mark?.Seq).toBeGreaterThanOrEqual(heard);
    expect(count).toEqual({ n: mark?.Seq, top: mark?.Seq });
    const rest = Array.from({ length: 500 }, (_, at) =>
      workItem(`w${(mark?.Seq ?? 0) - 249 + at}`, (mark?.Seq ?? 0) - 249 + at),
    );
    expect((await applyTo(engine, rest, { hubId: hub })).IsCommitted).toBe(true);
    expect(rowsIn(path, 'SELECT count(*) AS n FROM UVQueueWorkItem')).toEqual([
      { n: (mark?.Seq ?? 0) + 250 },
    ]);
    await engine.close();
  });
});
