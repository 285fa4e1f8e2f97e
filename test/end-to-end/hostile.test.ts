/**
 * A short hostile campaign, and the messages that once ended, deafened or fooled a process: each
 * role of the bus and of HTTP against real processes (I14).
 */
import { expect, test } from 'vitest';
import { actOf } from '../kit/hostile/acts.ts';
import { runCampaign } from '../kit/hostile/campaign.ts';
import { keptActs } from '../kit/hostile/kept-acts.ts';

/** Seconds of new steps; more in `npm run campaign:hostile`. */
const seconds = 15;

test('I14 — whatever each role sends, nothing dies, hangs, leaks or is written without the right', async () => {
  const report = await runCampaign({ seconds, seed: Date.now() % 1_000_000 });
  expect(report.violations).toEqual([]);
  expect(report.steps).toBeGreaterThan(10);
}, 180_000);

test('what once found something finds nothing (I14)', async () => {
  const report = await runCampaign({ seconds: 120, seed: 0, acts: keptActs });
  expect(report.violations).toEqual([]);
  expect(report.steps).toBe(keptActs.length);
}, 240_000);

test('a step of a seed is the same again, whatever came before', () => {
  const steps = [7, 3, 500, 61];
  const told = (step: number) => JSON.stringify(actOf(2026, step));
  const first = steps.map(told);
  expect(steps.toReversed().map(told).toReversed()).toEqual(first);
  expect(new Set(first).size).toBe(steps.length);
});
