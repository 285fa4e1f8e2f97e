/** Verbs that bring a system of their own, and what a verb printed. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { expect } from 'vitest';
import type { TempDir } from '../temp-dir.ts';
import { until } from '../until.ts';
import { type Ran, startTidemark, tidemark } from './cli-fixture.ts';

/** What a verb printed, which is one document. */
export async function printed<T = Record<string, unknown>>(
  ran: Promise<Ran>,
  code = 0,
): Promise<T> {
  const { code: ended, stdout, stderr } = await ran;
  expect([ended, stdout === '' ? stderr : '']).toEqual([code, '']);
  return JSON.parse(stdout) as T;
}

export async function upAlone(dir: TempDir): Promise<void> {
  const all = startTidemark(['up', '--data', dir.at('up'), '--http', '127.0.0.1:0', '--json']);
  await until('it is ready', () => /^ready .*nats:\/\/127\.0\.0\.1:\d+/m.test(all.out.stdout), {
    deadlineMs: 45_000,
  });
  expect(await printed(tidemark(['status', '--json', '--data', dir.at('up')]))).toMatchObject({
    State: 'bootstrapped',
  });
  all.child.kill('SIGTERM');
  expect((await all.ended).code).toBe(0);
}

export async function demoAlone(): Promise<void> {
  const proofs = await printed<{ isOk: boolean }[]>(tidemark(['demo', '--json']));
  expect(proofs.filter(({ isOk }) => !isOk)).toEqual([]);
}

/** A dry import of a hub that has one run and nothing else. */
export async function importHubAlone(dir: TempDir): Promise<void> {
  mkdirSync(dir.at('hub', 'staging', 'run'), { recursive: true });
  writeFileSync(dir.at('hub', 'staging', 'run', 'Manifest_op.json'), '{"Hash":"r"}');
  expect(
    await printed(tidemark(['import-hub', dir.at('hub'), '--dry-run', '--json'])),
  ).toMatchObject({ DryRun: true, Rows: [{}, {}, {}, { Kind: 'runs', Found: 1 }] });
}
