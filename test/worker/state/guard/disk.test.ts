/** The reserve on a real disk: real bytes, all or nothing, and no fault when it cannot be made. */
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { Reserve, roomAt } from '../../../../worker/state/guard/disk.ts';
import { pathsOf } from '../../../../worker/state/paths.ts';
import { folderOfTest } from '../../../kit/worker/fixture.ts';

const MiB = 1024 * 1024;

test('the reserve is real bytes, not a hole, and goes whole', async () => {
  const { path } = folderOfTest();
  const paths = pathsOf(path);
  const reserve = new Reserve(paths);
  expect(await reserve.make(5 * MiB + 7)).toBe(true);
  const { size, blocks, mode } = statSync(paths.reserve);
  expect(size).toBe(5 * MiB + 7);
  expect(blocks * 512).toBeGreaterThanOrEqual(size);
  expect(mode & 0o777).toBe(0o600);
  expect(readdirSync(path)).toEqual(['reserve']);
  const before = statSync(paths.reserve).ino;
  expect(await reserve.make(5 * MiB + 7)).toBe(true);
  expect(statSync(paths.reserve).ino, 'one of the right size stays').toBe(before);
  expect(reserve.giveUp()).toBe(5 * MiB + 7);
  expect(reserve.giveUp()).toBe(0);
  expect(readdirSync(path)).toEqual([]);
});

test('the event loop turns while the reserve is written', async () => {
  const reserve = new Reserve(pathsOf(folderOfTest().path));
  let turns = 0;
  const making = reserve.make(32 * MiB);
  const timer = setInterval(() => {
    turns += 1;
  }, 0);
  await making;
  clearInterval(timer);
  expect(turns).toBeGreaterThan(3);
});

test('a half-written one of an earlier process is no reserve', async () => {
  const { path } = folderOfTest();
  const paths = pathsOf(path);
  writeFileSync(`${paths.reserve}.tmp`, 'half');
  const reserve = new Reserve(paths);
  expect(reserve.bytes).toBe(0);
  expect(await reserve.make(MiB)).toBe(true);
  expect(readdirSync(path)).toEqual(['reserve']);
});

test('where the file cannot be made for another reason than room, there is none, and nobody waits for it', async () => {
  const { path } = folderOfTest();
  mkdirSync(`${pathsOf(path).reserve}.tmp`);
  const reserve = new Reserve(pathsOf(path));
  expect(reserve.sizeFor(1_000_000 * MiB)).toBe(32 * MiB);
  expect(reserve.sizeFor(100 * MiB)).toBe(25 * MiB);
  expect(await reserve.make(MiB)).toBe(true);
  expect(reserve.sizeFor(1_000_000 * MiB)).toBe(0);
});

test('the room of a disk is told, and of a path that is gone it is unknown', () => {
  const { path } = folderOfTest();
  const room = roomAt(path);
  expect(room?.freeBytes).toBeGreaterThan(0);
  expect(room?.totalBytes).toBeGreaterThan(room?.freeBytes ?? 0);
  expect(roomAt(`${path}/gone`)).toBeNull();
});
