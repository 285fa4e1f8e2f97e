/**
 * What goes away and comes back, as the console shows it: the databeacon, with the backlog growing
 * and draining, and the worker itself.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { publish } from '../kit/processes/hub.ts';
import { sampleWrites } from '../kit/rows/trace.ts';
import { until } from '../kit/until.ts';
import { ConsoleRig, laneNumber, shows } from '../kit/console/fixture.ts';

describe('an outage, watched', () => {
  let rig: ConsoleRig;
  const calls = sampleWrites(400);
  beforeAll(async () => {
    rig = await ConsoleRig.start();
  }, 120_000);
  afterAll(async () => {
    await rig?.[Symbol.asyncDispose]();
  });

  test('the databeacon is killed: backlog and waiting-for-beacon; it is back: it drains, none lost (I10)', async () => {
    const { stack } = rig;
    const page = await rig.open();
    await shows(page, '#persistence', 'Persistence: bootstrapped');
    await publish(stack.hub.client, calls.slice(0, 50));
    await stack.drained();
    await stack.beacon.kill();
    await shows(page, 'section[aria-labelledby="lane-queue"] .pill', 'waiting-for-beacon');
    await publish(stack.hub.client, calls.slice(50, 150));
    await until(
      'the backlog is shown',
      async () =>
        (await laneNumber(page, 'queue', 'Pending')) +
          (await laneNumber(page, 'manifest', 'Pending')) ===
        100,
    );
    const first = await laneNumber(page, 'queue', 'Pending');
    await publish(stack.hub.client, calls.slice(150));
    await until(
      'it grows',
      async () =>
        (await laneNumber(page, 'queue', 'Pending')) > first ||
        (await laneNumber(page, 'manifest', 'Pending')) > 0,
    );
    await shows(
      page,
      'section[aria-labelledby="lane-queue"] [data-value="Oldest pending"]',
      /\d s$/,
    );
    await shows(page, '#link', 'live');
    const status = await stack.status();
    await until(
      'all of it is shown',
      async () => (await laneNumber(page, 'queue', 'Pending')) === status.Queue.Pending,
    );
    await until(
      'the chart has an area between head and mark',
      async () =>
        (
          (await page
            .locator('section[aria-labelledby="lane-queue"] path.area')
            .getAttribute('d')) ?? ''
        ).length > 10,
    );

    stack.beacon.restart();
    await shows(page, '#persistence', 'Persistence: bootstrapped', 60_000);
    await until(
      'the backlog is drained',
      async () =>
        (await laneNumber(page, 'queue', 'Pending')) +
          (await laneNumber(page, 'manifest', 'Pending')) ===
        0,
      { deadlineMs: 60_000 },
    );
    await shows(page, '.verdict', 'Every accepted write is accounted for.');
    await shows(page, '.balance .sum td', '0');
    expect(await page.locator('.balance tbody tr').first().locator('td').allTextContents()).toEqual(
      [status.Balance.queue, status.Balance.manifest].map((lane) => String(lane.Accepted)),
    );
    await page.context().close();
  }, 180_000);

  test('while nothing changes the page asks for nothing', async () => {
    const page = await rig.open();
    await shows(page, '#link', 'live');
    await shows(page, 'section[aria-labelledby="dead-letters"] .done', 'There are none.');
    const asked: string[] = [];
    page.on('request', (request) => asked.push(request.url()));
    await page.waitForTimeout(7_000);
    expect(asked).toEqual([]);
    await page.context().close();
  });

  test('the worker is killed: a banner, grey values, nothing to press; it is back: all by itself', async () => {
    const { stack } = rig;
    const page = await rig.open();
    // Live comes before the first status: there must be values to be greyed.
    await shows(page, '#persistence', 'Persistence: bootstrapped');
    await stack.worker.kill();
    await shows(
      page,
      '#banner',
      /^Worker unreachable since \d\d:\d\d:\d\d: .*Values below are from then\./,
    );
    expect(await page.evaluate('getComputedStyle(document.querySelector("main")).filter')).toBe(
      'grayscale(1)',
    );
    expect(await page.getByRole('button', { name: 'Change persistence' }).isDisabled()).toBe(true);
    await shows(page, '#persistence', 'Persistence: bootstrapped');
    stack.worker.restart();
    await shows(page, '#banner', '', 60_000);
    await shows(page, '#link', 'live');
    await until('the buttons are back', () =>
      page.getByRole('button', { name: 'Change persistence' }).isEnabled(),
    );
    await stack.hub.client.upsertWorkItem({ WorkItemHash: 'after', Status: 'Pending' });
    const { Balance } = await stack.drained();
    await shows(page, '.balance tbody td', Balance.queue.Accepted.toLocaleString('en'));
    expect(rig.browser.complaints).toEqual([]);
    await page.context().close();
  }, 120_000);

  test('a worker that hangs is unreachable too, and found again', async () => {
    const { stack } = rig;
    const page = await rig.open();
    await shows(page, '#link', 'live');
    process.kill(stack.worker.pid, 'SIGSTOP');
    try {
      await shows(page, '#banner', /^Worker unreachable since .*the worker is silent/, 40_000);
    } finally {
      process.kill(stack.worker.pid, 'SIGCONT');
    }
    await shows(page, '#banner', '');
    await page.context().close();
  }, 120_000);
});
