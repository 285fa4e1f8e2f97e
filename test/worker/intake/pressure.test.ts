/**
 * When writes are refused for room and when they are taken again, what is foretold, and what
 * becomes of the reserve.
 */
import { existsSync } from 'node:fs';
import { expect, test, vi } from 'vitest';
import { limits } from '../../../contracts/limits.ts';
import { nextTurn } from '../../../runtime/clock.ts';
import { Pressure, usualBounds } from '../../../worker/intake/pressure.ts';
import { Reserve } from '../../../worker/state/guard/disk.ts';
import { pathsOf } from '../../../worker/state/paths.ts';
import { ManualClock } from '../../kit/manual-clock.ts';
import { until } from '../../kit/until.ts';
import { folderOfTest, silent } from '../../kit/worker/fixture.ts';

const MiB = 1024 * 1024;

function setup(bounds = { ...usualBounds, diskFreeMin: (100 * MiB) as number | null }) {
  const dir = folderOfTest();
  const clock = new ManualClock();
  const level = { used: 0, pending: 0, free: 1_000 * MiB, total: 2_000 * MiB, looks: 0 };
  const told: (string | null)[] = [];
  const reserve = new Reserve(pathsOf(dir.path));
  const pressure = new Pressure({
    clock,
    log: silent,
    bounds,
    reserve,
    onChange: (reason) => told.push(reason),
    bytesInUse: () => level.used,
    pending: () => level.pending,
    room: () => {
      level.looks += 1;
      return { freeBytes: level.free, totalBytes: level.total };
    },
  });
  const hasReserve = () => existsSync(pathsOf(dir.path).reserve);
  const made = async () => {
    await until('the reserve is there', hasReserve);
    await nextTurn();
    await nextTurn();
  };
  return { dir, clock, level, told, pressure, reserve, hasReserve, made };
}

test('B7 — below the least free room writes are refused with a delay, well above it they are taken (I9)', async () => {
  const { clock, level, told, pressure, made } = setup();
  pressure.start();
  await made();
  expect(pressure.refusal()).toBeNull();
  level.free = 99 * MiB;
  await clock.advance(limits.capacityLookMs);
  expect(pressure.refusal()).toMatchObject({
    code: 'OVERLOADED',
    retryAfterMs: limits.overloadedRetryMs,
    message: expect.stringContaining(String(99 * MiB)),
  });
  level.free = 110 * MiB;
  await clock.advance(limits.capacityLookMs);
  expect(pressure.refusal(), 'between the two levels nothing changes').not.toBeNull();
  level.free = 126 * MiB;
  await clock.advance(limits.capacityLookMs);
  expect(pressure.refusal()).toBeNull();
  level.free = 110 * MiB;
  await clock.advance(limits.capacityLookMs);
  expect(pressure.refusal(), 'nor on the way down').toBeNull();
  expect(told).toEqual([expect.stringContaining('free'), null]);
  expect(pressure.capacity()).toMatchObject({
    FreeBytes: 110 * MiB,
    FreeBytesMin: 100 * MiB,
    Refusing: null,
  });
});

test('the disk is looked at a few times a second, not for every write (I9)', async () => {
  const { clock, level, pressure, made } = setup();
  pressure.start();
  await made();
  for (let n = 0; n < 10_000; n++) pressure.refusal();
  expect(level.looks).toBe(1);
  await clock.advance(1_000);
  expect(level.looks).toBe(1 + 1_000 / limits.capacityLookMs);
  pressure.stop();
  await clock.advance(10_000);
  expect(level.looks).toBe(5);
});

test('what was taken since the last look counts against the bounds (I9)', () => {
  const { pressure } = setup({ journalBytesMax: 10_000, pendingMax: 100, diskFreeMin: null });
  pressure.look();
  pressure.took(99, 9_999);
  expect(pressure.refusal()).toBeNull();
  pressure.took(1, 0);
  expect(pressure.refusal()?.message).toContain('100 undelivered writes, at most 100');
  pressure.look();
  pressure.took(1, 10_000);
  expect(pressure.refusal()?.message).toContain('10000 bytes, at most 10000');
});

test('a full disk all the same: the reserve is given up at once, and made again before writes are taken', async () => {
  const { clock, level, told, pressure, hasReserve, made } = setup();
  pressure.start();
  await made();
  expect(pressure.capacity().ReserveBytes).toBe(32 * MiB);
  level.free = 0;
  expect(pressure.isOut).toBe(false);
  pressure.full();
  expect(pressure.isOut, 'what is left is for delivering').toBe(true);
  expect(hasReserve()).toBe(false);
  expect(pressure.refusal()).toMatchObject({ code: 'OVERLOADED' });
  level.free = 130 * MiB;
  await clock.advance(60_000);
  expect(hasReserve(), 'its room and the least would not fit both').toBe(false);
  expect(pressure.refusal()).not.toBeNull();
  level.free = 500 * MiB;
  await clock.advance(limits.capacityLookMs);
  await made();
  await clock.advance(limits.capacityLookMs);
  expect(pressure.refusal()).toBeNull();
  expect(pressure.isOut).toBe(false);
  expect(told).toEqual([expect.any(String), null]);
});

test('a disk that says full while it shows room is left alone for a while', async () => {
  const { clock, pressure, reserve, made } = setup();
  pressure.start();
  await made();
  const making = vi.spyOn(reserve, 'make');
  pressure.full();
  await clock.advance(limits.diskFullPauseMs - 1);
  expect(pressure.refusal()).not.toBeNull();
  expect(making).not.toHaveBeenCalled();
  await clock.advance(limits.capacityLookMs);
  await made();
  await clock.advance(limits.capacityLookMs);
  expect(pressure.refusal()).toBeNull();
});

test('without a bound of the operator a small disk keeps a small part free', () => {
  const { level, pressure } = setup({ ...usualBounds });
  pressure.look();
  expect(pressure.capacity().FreeBytesMin).toBe(100 * MiB);
  level.total = 1_000_000 * MiB;
  pressure.look();
  expect(pressure.capacity().FreeBytesMin).toBe(limits.diskFreeBytesMin);
});

test('the time to full is that of the nearest bound, by the growth of the last minutes', async () => {
  const { clock, level, pressure } = setup({
    journalBytesMax: 10_000_000,
    pendingMax: 1_000_000,
    diskFreeMin: 100 * MiB,
  });
  pressure.start();
  const foretold = () => pressure.capacity().TimeToFullSeconds;
  await clock.advance(60_000);
  expect(foretold(), 'nothing grows').toBeNull();
  // 1,000 bytes a second: 10 MB are full after 10,000 s.
  for (let n = 0; n < 1_200; n++) {
    level.used += 250;
    await clock.advance(250);
  }
  expect(foretold()).toBeGreaterThan(9_000);
  expect(foretold()).toBeLessThanOrEqual(9_800);
  // The backlog grows faster against its own bound: 4,000 a second from here.
  for (let n = 0; n < 1_400; n++) {
    level.pending += 500;
    await clock.advance(250);
  }
  expect(foretold()).toBe(Math.round((1_000_000 - 700_000) / 2_000));
  // It drains again: what no longer grows is no longer foretold, and no growth is older than the
  // window.
  for (let n = 0; n < 1_400; n++) {
    level.pending -= 500;
    await clock.advance(250);
  }
  expect(foretold()).toBeNull();
  level.used = 10_000_000;
  await clock.advance(250);
  expect(foretold()).toBe(0);
});

test('a shrinking disk is foretold by its own least free room', async () => {
  const { clock, level, pressure } = setup();
  pressure.start();
  for (let n = 0; n < 60; n++) {
    level.free -= 1 * MiB;
    await clock.advance(1_000);
  }
  const { TimeToFullSeconds } = pressure.capacity();
  expect(TimeToFullSeconds).toBeGreaterThanOrEqual(level.free / MiB - 100 - 10);
  expect(TimeToFullSeconds).toBeLessThanOrEqual(level.free / MiB - 100 + 10);
});

test('a level that cannot be read changes nothing and ends nothing', async () => {
  const { clock, level, pressure, made } = setup();
  pressure.start();
  await made();
  level.used = 5;
  await clock.advance(250);
  const broken = new Pressure({
    clock,
    log: silent,
    reserve: new Reserve(pathsOf(folderOfTest().path)),
    room: () => null,
    pending: () => 0,
    bytesInUse: () => {
      throw new Error('closed');
    },
  });
  broken.look();
  expect(broken.refusal()).toBeNull();
  expect(broken.capacity()).toMatchObject({ FreeBytes: null, FreeBytesMin: null });
  expect(pressure.capacity().UsedBytes).toBe(5);
});
