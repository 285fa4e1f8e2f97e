/**
 * The token in the console: asked for when it is needed, called wrong when it is, kept for the tab
 * and nowhere else.
 */
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { freePort } from '../../runtime/bus/nats-server.ts';
import { until } from '../kit/until.ts';
import { ConsoleRig, shows } from '../kit/console/fixture.ts';

test('on loopback the first change asks for it: a wrong one is called wrong, the right one works', async () => {
  await using rig = await ConsoleRig.start();
  const page = await rig.open('', { token: null });
  await shows(page, '#persistence', 'Persistence: bootstrapped');
  await page.getByRole('button', { name: 'Pause delivery' }).click();
  await shows(page, 'dialog h2', 'A token is needed');
  expect(await page.locator('#token-wrong').textContent()).toBe('');
  await page.locator('#token').fill('not-the-token');
  await page.keyboard.press('Enter');
  await shows(page, '#token-wrong', 'That token is wrong: the worker refused it.');
  expect((await rig.stack.status()).Queue.IsPaused).toBe(false);
  await page.locator('#token').fill(rig.token());
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Resume delivery' }).waitFor();
  expect((await rig.stack.status()).Queue.IsPaused).toBe(true);
  expect(
    await page.evaluate('[sessionStorage.length, localStorage.length, document.cookie]'),
  ).toEqual([1, 0, '']);

  const other = await rig.open('', { token: null });
  await other.getByRole('button', { name: 'Resume delivery' }).click();
  await other.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
  await shows(
    other,
    'section[aria-labelledby="persistence"] .done',
    'Not done: this needs a token.',
  );
  expect((await rig.stack.status()).Queue.IsPaused).toBe(true);
  expect(rig.browser.complaints).toEqual([]);
}, 120_000);

test('beyond loopback nothing but the page is served without one; with it the page is live', async () => {
  const [port, token] = [await freePort(), randomUUID()];
  await using rig = await ConsoleRig.start({
    workerArgs: ['--http', `0.0.0.0:${port}`],
    workerEnv: () => ({ TIDEMARK_TOKEN: token }),
  });
  const url = `http://127.0.0.1:${port}/`;
  const page = await rig.browser.open(url);
  await shows(page, 'dialog h2', 'A token is needed');
  expect(await page.locator('#persistence').textContent()).toBe('Persistence: ');
  const bare = [
    'api/events',
    'api/fleet',
    'api/history',
    'api/status',
    'api/dead-letters?limit=1',
    'api/locate?key=a',
  ];
  expect(await Promise.all(bare.map(async (path) => (await fetch(url + path)).status))).toEqual(
    bare.map(() => 401),
  );
  await page.keyboard.press('Escape');
  await shows(page, '#banner', /^This worker shows itself to those who have a token\./);
  await page.getByRole('button', { name: 'Enter a token' }).click();
  await page.locator('#token').fill('wrong');
  await page.getByRole('button', { name: 'Use token' }).click();
  await shows(page, '#token-wrong', 'That token is wrong: the worker refused it.');
  await page.locator('#token').fill(token);
  await page.getByRole('button', { name: 'Use token' }).click();
  await shows(page, '#persistence', 'Persistence: bootstrapped');
  await shows(page, '#link', 'live');
  await until(
    'the banner is gone',
    async () => (await page.locator('#banner').textContent()) === '',
  );
  expect(rig.browser.complaints).toEqual([]);
}, 120_000);
