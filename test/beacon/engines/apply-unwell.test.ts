/** Apply on a SQLite database that is locked, full, deleted or replaced. */
import { renameSync, rmSync } from 'node:fs';
import Database from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import { persistenceSchema } from '../../../contracts/schema.ts';
import { ensureSchema } from '../../../beacon/capabilities/schema-manager.ts';
import {
  applyTo,
  openBackend,
  openEngine,
  outcomesOf,
  rowsIn,
  workItem,
} from '../../kit/beacon/fixture.ts';

describe('a database that is not well', () => {
  test('a locked one refuses the whole request and nothing is changed', async () => {
    const { engine, path } = await openBackend();
    const db = new Database(path);
    db.exec('BEGIN IMMEDIATE');
    await expect(applyTo(engine, [workItem('a', 1)])).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(/SQLITE_BUSY/) as string,
    });
    db.exec('ROLLBACK');
    db.close();
    expect(outcomesOf(await applyTo(engine, [workItem('a', 1)]))).toEqual(['applied']);
  });

  test('a full one refuses the whole request, and takes it once there is room', async () => {
    const { engine, path } = await openBackend();
    const pages = async (count: number) =>
      engine.execute([{ sql: `PRAGMA max_page_count = ${count}`, parameters: [], isWrite: false }]);
    await pages(1);
    const big = Array.from({ length: 50 }, (_, at) =>
      workItem(`big-${at}`, at + 1, { Result: 'x'.repeat(20_000) }),
    );
    await expect(applyTo(engine, big)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(/SQLITE_FULL/) as string,
    });
    expect(rowsIn(path, 'SELECT * FROM UVBridgeMark')).toEqual([]);
    await pages(1_000_000);
    expect((await applyTo(engine, big)).IsCommitted).toBe(true);
  });

  test('a deleted file is made anew, empty, without identity; nothing is applied to the old one', async () => {
    const { engine, path } = await openBackend();
    rmSync(path);
    await expect(applyTo(engine, [workItem('a', 1)])).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
    expect(await engine.check()).toEqual({ isConnected: true, storeId: '', reason: '' });
    expect(rowsIn(path, 'SELECT name FROM sqlite_schema')).toEqual([]);
    await ensureSchema(engine, 'ultravisor', persistenceSchema);
    expect(outcomesOf(await applyTo(engine, [workItem('a', 1)]))).toEqual(['applied']);
  });

  test('a replaced file is the one that counts from then on', async () => {
    const one = await openBackend();
    const other = await openBackend();
    await applyTo(other.engine, [workItem('theirs', 1)]);
    const { storeId } = await other.engine.check();
    await other.engine.close();
    renameSync(other.path, one.path);
    expect((await one.engine.check()).storeId).toBe(storeId);
    expect(rowsIn(one.path, 'SELECT WorkItemHash FROM UVQueueWorkItem')).toEqual([
      { WorkItemHash: 'theirs' },
    ]);
  });

  test('a table dropped under us is the database’s fault, not the write’s', async () => {
    const { engine, path } = await openBackend();
    await applyTo(engine, [workItem('a', 1)]);
    const db = new Database(path);
    db.exec('DROP TABLE UVQueueWorkItem');
    db.close();
    await expect(applyTo(engine, [workItem('a', 2)])).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(/EnsureSchema/) as string,
    });
  });

  test('a folder that cannot be is told by check', async () => {
    const { path: file } = await openBackend();
    const { engine } = openEngine(`${file}/backend.sqlite`);
    expect(await engine.check()).toMatchObject({ isConnected: false, storeId: '' });
    await expect(applyTo(engine, [workItem('a', 1)])).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
  });
});
