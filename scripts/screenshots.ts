/** Writes docs/screenshots: the console's main states, from real processes in a real browser. */
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { limits } from '../contracts/limits.ts';
import { systemClock } from '../runtime/clock.ts';
import { freePort } from '../runtime/bus/nats-server.ts';
import { ConsoleRig, shows } from '../test/kit/console/fixture.ts';
import { publish } from '../test/kit/processes/hub.ts';
import { TidemarkProcess } from '../test/kit/processes/processes.ts';
import { tempDir } from '../test/kit/temp-dir.ts';
import { sampleWrites } from '../test/kit/rows/trace.ts';
import { until } from '../test/kit/until.ts';

const folder = join(import.meta.dirname, '..', 'docs', 'screenshots');
const bytesMax = 200_000;

/** Saves a screenshot of the page as it is now. */
async function shoot(page: Page, name: string): Promise<void> {
  const path = join(folder, `${name}.png`);
  await page.screenshot({ path });
  const { size } = statSync(path);
  if (size > bytesMax) throw new Error(`${path} has ${size} bytes, at most ${bytesMax}`);
  process.stdout.write(`${name}.png ${size} bytes\n`);
}

/** Writes at a rate that shows on the chart, until stopped. */
function traffic(rig: ConsoleRig): () => Promise<void> {
  const calls = sampleWrites(3_000);
  const ended = new AbortController();
  const work = (async () => {
    for (let at = 0; !ended.signal.aborted && at < calls.length; at += 4) {
      await publish(rig.stack.hub.client, calls.slice(at, at + 4));
      await systemClock.sleep(300);
    }
  })();
  return async () => {
    ended.abort();
    await work;
  };
}

async function shootOutage(rig: ConsoleRig): Promise<void> {
  const stop = traffic(rig);
  const page = await rig.open('', { viewport: { width: 1100, height: 800 } });
  const dark = await rig.open('', { colorScheme: 'dark', viewport: { width: 1100, height: 800 } });
  await systemClock.sleep(6 * limits.historySampleMs);
  await rig.stack.beacon.kill();
  await shows(page, '#persistence', 'Persistence: waiting-for-beacon');
  await systemClock.sleep(6 * limits.historySampleMs);
  await shoot(page, 'outage');
  const allow = rig.refuse('order-1042');
  await rig.stack.hub.client.upsertWorkItem({ WorkItemHash: 'order-1042', Status: 'Pending' });
  await rig.stack.hub.client.updateWorkItem('order-1042', { Status: 'Running' });
  rig.stack.beacon.restart();
  await shows(page, '#persistence', 'Persistence: bootstrapped');
  await stop();
  await page.locator('section[aria-labelledby="dead-letters"] .reason').waitFor();
  await page.getByLabel('EventGUID, WorkItemHash or RunHash').fill('order-1042');
  await page.keyboard.press('Enter');
  await page.locator('.timeline').first().waitFor();
  await systemClock.sleep(2 * limits.historySampleMs);
  await page.evaluate('scrollTo(0, 0)');
  await shoot(page, 'worker');
  await page.locator('#dead-letters').scrollIntoViewIfNeeded();
  await page.getByRole('button', { name: 'Next page' }).scrollIntoViewIfNeeded();
  await shoot(page, 'writes');
  await page.evaluate('scrollTo(0, 0)');
  await shoot(dark, 'worker-dark');
  await page.getByRole('button', { name: 'Change persistence' }).click();
  await until(
    'a connection',
    async () => (await page.locator('#pick-connection').inputValue()) === '1',
  );
  await shows(page, 'dialog .warning', /already serves/);
  await shoot(page, 'picker');
  await page.keyboard.press('Escape');
  const phone = await rig.open('', { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2 });
  await shows(phone, '#persistence', 'Persistence: bootstrapped');
  await systemClock.sleep(limits.historySampleMs);
  await shoot(phone, 'phone');
  allow();
}

async function shootFleet(rig: ConsoleRig): Promise<void> {
  const page = await rig.open('#/fleet');
  await until('all are there', async () => (await page.locator('.fleet tbody tr').count()) === 3);
  await until(
    'one is assigned',
    async () => (await page.locator('.fleet .pill', { hasText: 'bootstrapped' }).count()) === 4,
  );
  await shoot(page, 'fleet');
}

mkdirSync(folder, { recursive: true });
await using rig = await ConsoleRig.start();
using dir = tempDir('screenshots');
const worker = async (hub: string) =>
  new TidemarkProcess([
    'worker',
    '--hub',
    hub,
    '--data',
    dir.at(hub),
    '--http',
    `127.0.0.1:${await freePort()}`,
    '--nats',
    rig.stack.nats.url,
  ]);
await using berlin = await worker('berlin');
await using lisbon = await worker('lisbon');
await until('the others are up', async () => {
  const answer = await rig.stack.hub.request(
    'tidemark.berlin.control.assign',
    JSON.stringify({ BeaconID: 'db-1', IDBeaconConnection: 1 }),
  );
  return (
    berlin.isRunning &&
    lisbon.isRunning &&
    Buffer.from(answer.data).toString().includes('"Success":true')
  );
});
await shootFleet(rig);
await shootOutage(rig);
const page = await rig.open();
await shows(page, '#link', 'live');
await rig.stack.worker.kill();
await shows(page, '#banner', /unreachable/);
await shoot(page, 'unreachable');
