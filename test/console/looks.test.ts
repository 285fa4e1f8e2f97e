/** Every view on a phone's width, and looked at by axe, in light and in dark. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../../runtime/bus/nats-server.ts';
import { TidemarkProcess } from '../kit/processes/processes.ts';
import { tempDir } from '../kit/temp-dir.ts';
import { guidOf } from '../kit/rows/trace.ts';
import { ConsoleRig, shows } from '../kit/console/fixture.ts';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** What axe finds wrong, one line each. */
async function violations(page: Page): Promise<string[]> {
  await page.evaluate(`${axe};0`);
  return page.evaluate<string[]>(
    `axe.run().then(({ violations }) => violations.map((one) => one.id + ': ' + ` +
      `one.nodes.map((node) => node.html + ' ' + node.failureSummary).join(' | ')))`,
  );
}

describe('the looks', () => {
  let rig: ConsoleRig;
  let other: TidemarkProcess;
  const dir = tempDir('looks');
  let allow: () => void = () => undefined;
  beforeAll(async () => {
    rig = await ConsoleRig.start();
    other = new TidemarkProcess([
      'worker',
      '--hub',
      'another-hub-with-a-rather-long-name-to-see-how-it-is-cut',
      '--data',
      dir.at('data'),
      '--http',
      `127.0.0.1:${await freePort()}`,
      '--nats',
      rig.stack.nats.url,
    ]);
    allow = rig.refuse('bad');
    const { client } = rig.stack.hub;
    await client.upsertWorkItem(
      { WorkItemHash: `wi-${'long'.repeat(20)}`, Status: 'Pending' },
      { EventGUID: guidOf('long') },
    );
    await client.upsertWorkItem({ WorkItemHash: 'bad', Status: 'Pending' });
    await client.updateWorkItem('bad', { Status: 'Running' });
  }, 120_000);
  afterAll(async () => {
    allow();
    await other?.kill();
    await rig?.[Symbol.asyncDispose]();
    dir[Symbol.dispose]();
  });

  /** Opens each view and state one after the other. */
  async function eachView(page: Page, look: (name: string) => Promise<void>): Promise<void> {
    await shows(page, '#persistence', 'Persistence: bootstrapped');
    await page.locator('section[aria-labelledby="dead-letters"] .reason').waitFor();
    await page.getByLabel('EventGUID, WorkItemHash or RunHash').fill(guidOf('long'));
    await page.keyboard.press('Enter');
    await page.locator('.timeline').waitFor();
    await page.locator('path.head[d]').first().waitFor({ state: 'attached' });
    await look('worker');
    await page.getByRole('button', { name: 'Change persistence' }).click();
    await page.locator('#pick-connection option').waitFor({ state: 'attached' });
    await look('picker');
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: /^Drop Seq/ }).click();
    await look('question');
    await page.keyboard.press('Escape');
    await page.evaluate('sessionStorage.setItem("tidemark-token", "wrong")');
    await page.getByRole('button', { name: 'Pause delivery' }).click();
    await page.locator('#token-wrong').waitFor();
    await look('token');
    await page.keyboard.press('Escape');
    await page.getByRole('link', { name: 'Fleet' }).click();
    await page.getByRole('link', { name: /^another-hub/ }).waitFor();
    await look('fleet');
    await page.getByRole('link', { name: /^another-hub/ }).click();
    await shows(page, '#persistence', 'Persistence: unassigned');
    await look('another worker');
    await page.getByRole('link', { name: 'Worker', exact: true }).click();
    await shows(page, '#persistence', 'Persistence: bootstrapped');
    await rig.stack.worker.kill();
    await shows(page, '#banner', /unreachable since/);
    await look('unreachable');
    rig.stack.worker.restart();
    await shows(page, '#banner', '');
    await shows(page, '#persistence', 'Persistence: bootstrapped');
  }

  for (const colorScheme of ['light', 'dark'] as const) {
    test(`axe finds nothing wrong in any view, ${colorScheme}`, async () => {
      const page = await rig.open('', { colorScheme });
      const found: Record<string, string[]> = {};
      await eachView(page, async (name) => {
        found[name] = await violations(page);
      });
      expect(found).toEqual(Object.fromEntries(Object.keys(found).map((name) => [name, []])));
      expect(Object.keys(found)).toHaveLength(7);
      const ground = await page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
      expect(ground).toBe(colorScheme === 'light' ? 'rgb(244, 246, 247)' : 'rgb(14, 21, 24)');
      await page.context().close();
    }, 120_000);
  }

  test('on a phone nothing is wider than the screen, and axe finds nothing wrong', async () => {
    const page = await rig.open('', {
      viewport: { width: 360, height: 740 },
      hasTouch: true,
      isMobile: true,
    });
    const wide: Record<string, unknown> = {};
    await eachView(page, async (name) => {
      const width = await page.evaluate<number>('document.documentElement.scrollWidth');
      const cut = await page.evaluate<string[]>(
        `[...document.querySelectorAll('main *, dialog, dialog *, header *')].filter((node) ` +
          '=> node.getClientRects().length > 0 && node.getBoundingClientRect().right > ' +
          '360.5).map((node) => node.outerHTML.slice(0, 80))',
      );
      const broken = await page.evaluate<string[]>(
        `[...document.querySelectorAll('nav a, button, .pill, [data-value]')].filter((node) ` +
          '=> node.getBoundingClientRect().height > 48).map((node) => node.textContent)',
      );
      wide[name] = [width, [...cut, ...broken], await violations(page)];
    });
    expect(wide).toEqual(
      Object.fromEntries(Object.keys(wide).map((name) => [name, [360, [], []]])),
    );
    expect(rig.browser.complaints).toEqual([]);
    await page.context().close();
  }, 120_000);
});
