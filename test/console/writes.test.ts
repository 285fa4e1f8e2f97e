/**
 * What an operator does about single writes in the console: looks where they are, sends a dead
 * letter again, gives one up.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { guidOf } from '../kit/rows/trace.ts';
import { until } from '../kit/until.ts';
import { ConsoleRig, shows } from '../kit/console/fixture.ts';

describe('writes and dead letters', () => {
  let rig: ConsoleRig;
  beforeAll(async () => {
    rig = await ConsoleRig.start();
  }, 120_000);
  afterAll(async () => {
    await rig?.[Symbol.asyncDispose]();
  });

  test('a write is found by EventGUID and WorkItemHash with its way so far, and followed on its way', async () => {
    const { client } = rig.stack.hub;
    await client.upsertWorkItem(
      { WorkItemHash: 'wi-1', Status: 'Pending' },
      { EventGUID: guidOf('first') },
    );
    await client.updateWorkItem('wi-1', { Status: 'Running' }, { EventGUID: guidOf('second') });
    await client.upsertManifest({ Hash: 'run-1' }, { EventGUID: guidOf('third') });
    await rig.stack.drained();
    const page = await rig.open();
    const find = async (text: string) => {
      await page.getByLabel('EventGUID, WorkItemHash or RunHash').fill(text);
      await page.keyboard.press('Enter');
    };
    const rows = page.locator('section[aria-labelledby="locate-title"] .rows > li');
    const said = 'section[aria-labelledby="locate-title"] .done';
    await find(guidOf('first').toUpperCase());
    await shows(page, said, 'Found.');
    expect(await rows.allTextContents()).toEqual([
      expect.stringMatching(
        new RegExp(
          String.raw`^Seq \d+ applied QP_UpsertWorkItem, key wi-1, queue lane.*` +
            String.raw`Accepted, on disk\d\d:\d\d:\d\dApplied by the database\d\d:\d\d:\d\d$`,
        ),
      ),
    ]);
    await find('wi-1');
    await shows(page, said, '2 writes of this key, newest first. The whole journal was searched.');
    expect(await rows.locator('code').allTextContents()).toEqual([
      guidOf('second'),
      guidOf('first'),
    ]);
    await find('run-1');
    await shows(page, said, /^1 writes of this key/);
    expect(await rows.first().textContent()).toContain('MS_UpsertManifest');
    await find(guidOf('never'));
    await shows(page, said, 'This worker has never accepted a write with this EventGUID.');
    expect(await rows.count()).toBe(0);
    await find('nothing-of-this-name');
    await shows(page, said, /^No write of this key was found\./);

    await page.getByRole('button', { name: 'Pause delivery' }).click();
    await page.getByRole('button', { name: 'Resume delivery' }).waitFor();
    await client.updateWorkItem('wi-1', { Status: 'Done' }, { EventGUID: guidOf('late') });
    await find(guidOf('late'));
    await shows(page, 'section[aria-labelledby="locate-title"] .rows .pill', 'buffered');
    await page.getByRole('button', { name: 'Resume delivery' }).click();
    await shows(page, 'section[aria-labelledby="locate-title"] .rows .pill', 'applied');
    await page.context().close();
  });

  test('a dead letter is shown with its reason and retried; what waited behind it follows', async () => {
    const { client } = rig.stack.hub;
    const page = await rig.open();
    await shows(page, 'section[aria-labelledby="dead-letters"] .done', 'There are none.');
    const allow = rig.refuse('bad');
    await client.upsertWorkItem(
      { WorkItemHash: 'bad', Status: 'Pending' },
      { EventGUID: guidOf('bad') },
    );
    await client.updateWorkItem('bad', { Status: 'Running' });
    await shows(page, 'section[aria-labelledby="dead-letters"] .reason', /not this one/);
    await until('the writes behind it are told of', async () => {
      await rig.stack.control('dead-letters');
      return (
        (await page
          .locator('section[aria-labelledby="dead-letters"] .rows > li')
          .first()
          .textContent()) ?? ''
      ).includes(guidOf('bad'));
    });
    expect((await rig.stack.status()).Queue).toMatchObject({ DeadLetters: 1, Pending: 1 });
    allow();
    await page.getByRole('button', { name: /^Retry Seq/ }).click();
    await shows(
      page,
      'section[aria-labelledby="dead-letters"] .done >> nth=1',
      /^Seq \d+ is sent again\.$/,
    );
    await shows(page, 'section[aria-labelledby="dead-letters"] .done', 'There are none.');
    await rig.stack.drained();
    expect(await client.getWorkItemByHash('bad')).toMatchObject({
      WorkItem: { Status: 'Running' },
    });
    await page.context().close();
  });

  test('a dead letter is dropped only after a yes to the question, and stays in the balance (I10)', async () => {
    const { client } = rig.stack.hub;
    const allow = rig.refuse('worse');
    const page = await rig.open();
    await client.upsertWorkItem({ WorkItemHash: 'worse', Status: 'Pending' });
    await page.getByRole('button', { name: /^Drop Seq/ }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
    expect((await rig.stack.status()).Queue.DeadLetters).toBe(1);
    await page.getByRole('button', { name: /^Drop Seq/ }).click();
    await page.getByRole('button', { name: 'Drop it' }).click();
    await shows(page, 'section[aria-labelledby="dead-letters"] .done', 'There are none.');
    expect((await rig.stack.status()).Queue.DeadLetters).toBe(0);
    await shows(page, '.balance tbody tr:nth-child(5) td', '1');
    await shows(page, '.balance .sum td', '0');
    expect(rig.browser.complaints).toEqual([]);
    allow();
    await page.context().close();
  });
});
