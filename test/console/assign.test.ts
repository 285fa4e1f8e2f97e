/**
 * Persistence is assigned in the console: by mouse and by keyboard alone, with the states it goes
 * through, and with a warning where a databeacon serves another hub.
 */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { subjects } from '../../contracts/subjects.ts';
import { Bus } from '../../runtime/bus/bus.ts';
import { systemClock } from '../../runtime/clock.ts';
import { createLog } from '../../runtime/log.ts';
import { freePort } from '../../runtime/bus/nats-server.ts';
import { TidemarkProcess } from '../kit/processes/processes.ts';
import { tempDir } from '../kit/temp-dir.ts';
import { until } from '../kit/until.ts';
import { ConsoleRig, shows } from '../kit/console/fixture.ts';

describe('the picker', () => {
  let rig: ConsoleRig;
  beforeAll(async () => {
    rig = await ConsoleRig.start({ isAssigned: false });
  }, 120_000);
  afterAll(async () => {
    await rig?.[Symbol.asyncDispose]();
  });

  /** Every text the pill of the queue lane has shown since. */
  const watchPill = (page: Page) =>
    page.evaluate(`{
    const pill = document.querySelector('section[aria-labelledby="lane-queue"] .pill');
    globalThis.pillSeen = [pill.textContent];
    const observer = new MutationObserver(() => globalThis.pillSeen.push(pill.textContent));
    observer.observe(pill, { childList: true, characterData: true, subtree: true });
  }`);

  const assigned = () => rig.stack.control('assign', { BeaconID: 'db-1', IDBeaconConnection: 1 });

  test('nothing is assigned until Save; then the pill goes through its states to bootstrapped', async () => {
    const page = await rig.open();
    await shows(page, '#persistence', 'Persistence: unassigned');
    await shows(page, 'section[aria-labelledby="lane-queue"] .pill', 'unassigned');
    await watchPill(page);
    await page.getByRole('button', { name: 'Assign', exact: true }).click();
    await page.getByLabel('Databeacon').selectOption('db-1');
    await until(
      'its connections are there',
      async () => (await page.getByLabel('Connection').inputValue()) === '1',
    );
    expect(await page.getByLabel('Connection').locator('option').textContent()).toBe(
      '1: backend (sqlite)',
    );
    await page.getByRole('button', { name: 'Cancel' }).click();
    expect((await rig.stack.status()).State).toBe('unassigned');

    await page.getByRole('button', { name: 'Assign', exact: true }).click();
    expect(await page.getByRole('button', { name: 'Save' }).isDisabled()).toBe(true);
    await page.getByLabel('Databeacon').selectOption('db-1');
    await page.getByRole('button', { name: 'Save' }).click();
    await shows(page, '#persistence', 'Persistence: bootstrapped');
    await shows(page, 'section[aria-labelledby="lane-manifest"] .pill', 'bootstrapped');
    const seen = await page.evaluate<string[]>('globalThis.pillSeen');
    expect(seen[0]).toBe('unassigned');
    expect(seen.at(-1)).toBe('bootstrapped');
    expect(
      seen.every((state) =>
        ['unassigned', 'waiting-for-beacon', 'bootstrapping', 'bootstrapped'].includes(state),
      ),
    ).toBe(true);
    expect((await rig.stack.status()).Queue).toMatchObject({
      AssignedBeaconID: 'db-1',
      IDBeaconConnection: 1,
      AssignedBy: 'operator',
    });
    await page.context().close();
  });

  test('a databeacon that serves another hub is warned of before Save', async () => {
    await assigned();
    using dir = tempDir('other');
    await using other = new TidemarkProcess([
      'worker',
      '--hub',
      'hub2',
      '--data',
      dir.at('data'),
      '--http',
      `127.0.0.1:${await freePort()}`,
      '--nats',
      rig.stack.nats.url,
    ]);
    const page = await rig.open('#/fleet');
    await page.getByRole('link', { name: 'hub2' }).waitFor();
    expect(other.isRunning).toBe(true);
    const reply = await rig.stack.hub.request(
      'tidemark.hub2.control.assign',
      JSON.stringify({ BeaconID: 'db-1', IDBeaconConnection: 1 }),
    );
    expect(Buffer.from(reply.data).toString()).toContain('"Success":true');
    await page.locator('tr', { hasText: 'hub2' }).getByText('bootstrapped').first().waitFor();
    await page.getByRole('link', { name: 'Worker', exact: true }).click();
    await page.getByRole('button', { name: 'Change persistence' }).click();
    await shows(page, 'dialog .warning', /^db-1 already serves hub hub2\./);
    await page.keyboard.press('Escape');

    await page.goto(`${rig.stack.httpUrl}/#/fleet/hub2`);
    await shows(page, 'h1', 'Hub hub2');
    await shows(page, '#persistence', 'Persistence: bootstrapped');
    expect(await page.getByRole('button').count()).toBe(0);
    expect(await page.getByRole('link', { name: 'its own console' }).getAttribute('href')).toBe(
      `http://${other.args[6]}`,
    );
    await page.context().close();
  });

  test('a databeacon that leaves or comes while the picker is open is shown; the choice stays', async () => {
    await assigned();
    const page = await rig.open();
    await page.getByRole('button', { name: 'Change persistence' }).click();
    await rig.stack.beacon.kill();
    await shows(page, '#pick-beacon', 'no databeacon is on the busdb-1 (away)');
    expect(await page.getByLabel('Databeacon').inputValue()).toBe('db-1');
    rig.stack.beacon.restart();
    await shows(page, '#pick-beacon', 'choose a databeacondb-1');
    expect(await page.getByLabel('Databeacon').inputValue()).toBe('db-1');
    await page.keyboard.press('Escape');
    await shows(page, '#persistence', 'Persistence: bootstrapped');
    await page.context().close();
  });

  test('a databeacon without connections cannot be saved, one of the legacy kind has none to choose from', async () => {
    const bus = await Bus.connect(
      { servers: rig.stack.nats.url, name: 'odd' },
      createLog('test', 'silent'),
    );
    const presence = (BeaconID: string, Capabilities: string[]) => ({
      BeaconID,
      Status: 'Online',
      Nonce: 'n',
      Capabilities,
      Tags: {},
      Connections: [],
    });
    const stop = systemClock.every(200, () => {
      bus.publish(subjects.presence('bare'), presence('bare', ['DataBeaconBatch']));
      bus.publish(subjects.presence('old'), presence('old', ['QueuePersistence']));
    });
    try {
      const page = await rig.open();
      await page.getByRole('button', { name: /Assign|Change persistence/ }).click();
      await page.getByLabel('Databeacon').selectOption('bare');
      await shows(page, 'dialog .wrong', 'bare offers no connection.');
      expect(await page.getByRole('button', { name: 'Save' }).isDisabled()).toBe(true);
      await page.getByLabel('Databeacon').selectOption('old');
      expect(await page.getByLabel('Connection').inputValue()).toBe('0');
      expect(await page.getByRole('button', { name: 'Save' }).isEnabled()).toBe(true);
      await page.context().close();
    } finally {
      stop();
      await bus.close();
    }
  });

  test('by keyboard alone: clear the assignment, and assign again', async () => {
    await assigned();
    const page = await rig.open();
    await shows(page, '#persistence', 'Persistence: bootstrapped');
    const focused = () => page.evaluate<string>('document.activeElement?.textContent ?? ""');
    const tabTo = async (text: string, most = 30) => {
      for (let n = 0; n < most; n += 1) {
        if ((await focused()) === text) return;
        await page.keyboard.press('Tab');
      }
      throw new Error(`Tab never came to ${text}; it is on ${await focused()}`);
    };
    await tabTo('Change persistence');
    await page.keyboard.press('Enter');
    await tabTo('Clear assignment');
    await page.keyboard.press('Space');
    await shows(page, '#persistence', 'Persistence: unassigned');
    // Where the dialog was opened from has the keyboard again.
    await until('the button has the keyboard', async () => (await focused()) === 'Assign');
    await page.keyboard.press('Enter');
    await until('the picker has the keyboard', () =>
      page.evaluate<boolean>('document.activeElement?.id === "pick-beacon"'),
    );
    await page.keyboard.type('db');
    await until(
      'the connection is there',
      async () => (await page.locator('#pick-connection').inputValue()) === '1',
    );
    await tabTo('Save');
    await page.keyboard.press('Enter');
    await shows(page, '#persistence', 'Persistence: bootstrapped');
    expect(rig.browser.complaints).toEqual([]);
    await page.context().close();
  });
});
