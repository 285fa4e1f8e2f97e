/**
 * The JSON files for people: whole at any moment, one write for many changes, and no truth lost
 * with them.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { limits } from '../../contracts/limits.ts';
import { Mirror } from '../../hwm/mirror.ts';
import { Mirrors } from '../../worker/process/mirrors.ts';
import { ManualClock } from '../kit/manual-clock.ts';
import { until } from '../kit/until.ts';
import { folderOfTest, silent } from '../kit/worker/fixture.ts';

test('defect 27: a reader sees a whole file, whenever it looks', async () => {
  const path = folderOfTest().at('file.json');
  const content = { n: 0, text: 'x'.repeat(20_000) };
  const mirror = new Mirror(path, () => content);
  await mirror.write();
  const reader = { isDone: false };
  const seen: number[] = [];
  const reading = (async () => {
    while (!reader.isDone) {
      seen.push((JSON.parse(readFileSync(path, 'utf8')) as { n: number }).n);
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    }
  })();
  for (content.n = 1; content.n < 50; content.n++) await mirror.write();
  reader.isDone = true;
  await reading;
  expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(existsSync(`${path}.tmp`)).toBe(false);
});

test('defect 28: calls that come while it writes are one more write, and nothing new is no write', async () => {
  const path = folderOfTest().at('file.json');
  let produced = 0;
  const content = { WrittenAt: '', n: 0 };
  const mirror = new Mirror(path, () => {
    produced += 1;
    return { ...content, WrittenAt: String(produced) };
  });
  await Promise.all(Array.from({ length: 100 }, () => mirror.write()));
  expect(produced).toBeLessThanOrEqual(3);
  const first = statSync(path).ino;
  await mirror.write();
  expect(statSync(path).ino).toBe(first);
  content.n = 1;
  await mirror.write();
  expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ n: 1 });
});

test('defect 28: any number of touches within the delay is one write', async () => {
  const dir = folderOfTest();
  const clock = new ManualClock();
  let produced = 0;
  const mirrors = new Mirrors(
    dir.path,
    { marks: () => ({ n: ++produced }), assignment: () => ({}), identity: () => ({}) },
    clock,
    silent,
  );
  for (let n = 0; n < 1_000; n++) mirrors.touch();
  expect(produced).toBe(0);
  await clock.advance(limits.mirrorDelayMs);
  await until('the file is there', () => existsSync(dir.at('persistence-bridge-hwm.json')));
  expect(produced).toBeLessThanOrEqual(2);
});

test('defect 27: a file that cannot be written is tried again with the next change', async () => {
  const dir = folderOfTest();
  const mirrors = new Mirrors(
    dir.path,
    { marks: () => ({ a: 1 }), assignment: () => ({ b: 1 }), identity: () => ({}) },
    new ManualClock(),
    silent,
  );
  const blocked = dir.at('persistence-bridge-hwm.json');
  mkdirSync(blocked);
  writeFileSync(dir.at('persistence-bridge-hwm.json', 'x'), '');
  await mirrors.write();
  expect(JSON.parse(readFileSync(dir.at('persistence-assignment.json'), 'utf8'))).toEqual({ b: 1 });
  rmSync(blocked, { recursive: true });
  await mirrors.write();
  expect(JSON.parse(readFileSync(blocked, 'utf8'))).toEqual({ a: 1 });
});
