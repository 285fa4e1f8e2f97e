/**
 * Many at once: a hundred workers in the fleet, a hundred thousand dead letters. What the page
 * draws stays bounded, and rows stay where they are.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FleetRow } from '../../contracts/console-answers.ts';
import { limits } from '../../contracts/limits.ts';
import type { WorkerStatus } from '../../contracts/status.ts';
import { subjects } from '../../contracts/subjects.ts';
import { Bus } from '../../runtime/bus/bus.ts';
import { createLog } from '../../runtime/log.ts';
import type { MicroService } from '../../runtime/bus/micro-service.ts';
import { openLocal } from '../../worker/journal/local.ts';
import { openStore } from '../../worker/state/open/open-store.ts';
import { guidBytes } from '../../worker/state/entry-identity.ts';
import { guidOf } from '../kit/rows/trace.ts';
import { until } from '../kit/until.ts';
import { upsert } from '../kit/worker/fixture.ts';
import { ConsoleRig, shows } from '../kit/console/fixture.ts';

const nodesOf = (page: { evaluate<T>(text: string): Promise<T> }) =>
  page.evaluate<number>('document.querySelectorAll("*").length');

describe('a hundred workers', () => {
  let rig: ConsoleRig;
  let bus: Bus;
  const services = new Map<string, MicroService>();
  const pending = new Map<string, number>();
  beforeAll(async () => {
    rig = await ConsoleRig.start();
    const status = await rig.stack.status();
    bus = await Bus.connect(
      { servers: rig.stack.nats.url, name: 'many' },
      createLog('test', 'silent'),
    );
    for (let n = 1; n <= 100; n += 1) {
      const hub = `fake-${String(n).padStart(3, '0')}`;
      const handle = (): WorkerStatus => ({
        ...status,
        HubID: hub,
        Queue: { ...status.Queue, State: 'bootstrapping', Pending: pending.get(hub) ?? n },
      });
      services.set(
        hub,
        bus.serve({
          name: 'tidemark-worker',
          version: '0.1.0',
          description: 'x',
          metadata: { hub },
          endpoints: [{ name: 'control', subject: subjects.controlAll(hub), handle }],
        }),
      );
    }
    // Whatever answers, a page and a worker must bear it.
    services.set(
      'rude',
      bus.serve({
        name: 'tidemark-worker',
        version: '<b>1</b>',
        description: 'x',
        metadata: { hub: 'rude', Console: 'javascript:alert(1)' },
        endpoints: [
          {
            name: 'control',
            subject: subjects.controlAll('rude'),
            handle: () => ({ Queue: '<img src=x onerror=alert(1)>', Manifest: null }),
          },
        ],
      }),
    );
    services.set(
      'worse',
      bus.serve({
        name: 'tidemark-worker',
        version: '1.0.0',
        description: 'x',
        metadata: { hub: '../../../evil hub' },
        endpoints: [],
      }),
    );
  }, 120_000);
  afterAll(async () => {
    await bus?.close();
    await rig?.[Symbol.asyncDispose]();
  });

  test('all have a row, and what moves is written into the rows that are there', async () => {
    const page = await rig.open('#/fleet');
    await until(
      'all rows are there',
      async () => (await page.locator('.fleet tbody tr').count()) === 102,
    );
    await shows(page, 'section[aria-labelledby="fleet"] .done', '102 workers.');
    await until(
      'all have their numbers',
      async () =>
        (await page.locator('.fleet .pill', { hasText: 'bootstrapping' }).count()) === 100,
    );
    await page.evaluate(
      'document.querySelectorAll(".fleet tbody tr").forEach((row, n) => { row.dataset.at = n; })',
    );
    const before = await nodesOf(page);
    await page.getByRole('link', { name: 'fake-042' }).focus();
    for (const [n, hub] of [...services.keys()].entries()) pending.set(hub, 1_000 + n);
    await until(
      'the numbers are new',
      async () =>
        (await page
          .locator('.fleet tr', { hasText: 'fake-100' })
          .locator('td')
          .nth(2)
          .textContent()) === '1,099',
    );
    expect(
      await page.evaluate(
        '[...document.querySelectorAll(".fleet tbody tr")].every((row, n) => row.dataset.at === String(n))',
      ),
    ).toBe(true);
    expect(await page.evaluate('document.activeElement.textContent')).toBe('fake-042');
    expect(await nodesOf(page)).toBe(before);
    expect(before).toBeLessThan(102 * 16);
    await page.getByLabel('Show hubs named').fill('fake-09');
    await until(
      'only those are drawn',
      async () => (await page.locator('.fleet tbody tr').count()) === 10,
    );
    await page.getByRole('link', { name: 'fake-099' }).click();
    await shows(page, 'section[aria-labelledby="lane-queue"] [data-value="Pending"]', '1,098');
    expect(await page.getByRole('link', { name: 'its own console' }).count()).toBe(0);
    expect(rig.browser.complaints).toEqual([]);
    await page.context().close();
  }, 120_000);

  test('one that leaves is shown as away, and one that answers rubbish as just that', async () => {
    const page = await rig.open('#/fleet');
    await page.getByRole('link', { name: 'fake-007' }).waitFor();
    await services.get('fake-007')?.stop();
    await until('it is away', async () =>
      ((await page.locator('.fleet tr', { hasText: 'fake-007' }).textContent()) ?? '').includes(
        'away, last seen',
      ),
    );
    const { Workers } = (await (await fetch(`${rig.stack.httpUrl}/api/fleet`)).json()) as {
      Workers: FleetRow[];
    };
    expect(Workers.find((row) => row.HubID === 'fake-007')).toMatchObject({
      IsAway: true,
      Instances: 0,
      Status: { HubID: 'fake-007' },
    });
    expect(Workers.find((row) => row.HubID === 'rude')).toMatchObject({
      Status: null,
      Console: null,
      Reason: 'its answer is not a status',
    });
    expect(Workers[0]).toMatchObject({
      HubID: 'hub1',
      IsSelf: true,
      Console: rig.stack.httpUrl,
      Instances: 1,
    });
    expect(Workers.some((row) => row.HubID.includes('evil'))).toBe(false);
    await page.context().close();
  }, 120_000);
});

describe('a hundred thousand dead letters', () => {
  const count = 100_000;
  let rig: ConsoleRig;
  beforeAll(async () => {
    rig = await ConsoleRig.start();
    await rig.stack.worker.stop();
    // The real database has never heard of these writes, and would have them sent again.
    await rig.stack.beacon.kill();
    fill(rig.stack.workerFile(), count);
    rig.stack.worker.restart();
    await until(
      'the worker is back',
      async () => (await rig.stack.status()).Queue.DeadLetters === count,
      { deadlineMs: 60_000 },
    );
  }, 240_000);
  afterAll(async () => {
    await rig?.[Symbol.asyncDispose]();
  });

  test('a page of them is drawn, whichever; and the balance holds (I10)', async () => {
    const page = await rig.open();
    const summary = 'section[aria-labelledby="dead-letters"] .done';
    await shows(page, summary, '1 to 25 of 100,000, oldest first.');
    const before = await nodesOf(page);
    for (let n = 1; n <= 4; n += 1) {
      await page.getByRole('button', { name: 'Next page' }).click();
      await shows(page, summary, `${n * 25 + 1} to ${n * 25 + 25} of 100,000, oldest first.`);
    }
    await page.getByRole('button', { name: 'Previous page' }).click();
    await shows(page, summary, '76 to 100 of 100,000, oldest first.');
    await shows(page, 'section[aria-labelledby="dead-letters"] .rows strong', /^Seq \d+$/);
    expect(await page.locator('section[aria-labelledby="dead-letters"] .rows > li').count()).toBe(
      25,
    );
    expect(await nodesOf(page)).toBeLessThan(before + 50);
    await shows(page, '.verdict', 'Every accepted write is accounted for.');
    await shows(
      page,
      'section[aria-labelledby="lane-queue"] [data-value="Dead letters"]',
      '100,000',
    );
    await page.getByLabel('EventGUID, WorkItemHash or RunHash').fill('wi-99999');
    await page.keyboard.press('Enter');
    await shows(page, 'section[aria-labelledby="locate-title"] .rows .pill', 'dead-lettered');
    await page.context().close();
  }, 120_000);

  test('without a page asked for, the list is as before there were pages; out of bounds is refused', async () => {
    const ask = async (query: string) => {
      const answer = await fetch(`${rig.stack.httpUrl}/api/dead-letters${query}`);
      return {
        status: answer.status,
        body: (await answer.json()) as {
          DeadLetters?: { Seq: number }[];
          Next?: string | null;
          Total?: number;
          Reason?: string;
        },
      };
    };
    const whole = await ask('');
    expect(Object.keys(whole.body)).toEqual(['DeadLetters']);
    expect(whole.body.DeadLetters).toHaveLength(limits.listRowsDefault);
    const page = await ask(`?limit=${limits.listRowsMax}`);
    expect(page.body).toMatchObject({
      Total: count,
      Next: String(page.body.DeadLetters?.at(-1)?.Seq),
    });
    expect(
      (await ask(`?after=${page.body.Next}&limit=1`)).body.DeadLetters?.[0]?.Seq,
    ).toBeGreaterThan(Number(page.body.Next));
    for (const query of [
      '?limit=0',
      `?limit=${limits.listRowsMax + 1}`,
      '?limit=x',
      '?after=x',
      '?after=-1',
    ])
      expect([query, (await ask(query)).status]).toEqual([query, 400]);
  });
});

/**
 * Writes that a database refused, put into the store of a worker at rest as its own replay would.
 */
function fill(dataDir: string, count: number): void {
  const store = openStore(dataDir);
  const { journal, marks } = openLocal(store, 'hub1');
  const { database } = marks.open('db-1', 1, 'queue', 0, 0);
  const step = 5_000;
  for (let from = 0; from < count; from += step) {
    const envelopes = Array.from({ length: step }, (_, n) =>
      upsert(`wi-${from + n}`, `dead-${from + n}`, { Status: 'Pending' }),
    );
    const seqs = journal
      .append(envelopes, 1_700_000_000_000)
      .map((one) => ('seq' in one ? one.seq : 0));
    marks.settle(database, 'queue', {
      throughSeq: seqs.at(-1) ?? 0,
      throughGuid: guidBytes(guidOf(`dead-${from + step - 1}`)),
      recordedMs: 0,
      nowMs: 1_700_000_000_000,
      applied: 0,
      present: 0,
      carrier: 'batch',
      blocked: seqs.map((seq, n) => ({
        seq,
        key: `wi-${from + n}`,
        state: 'dead',
        reason: 'rejected: made for a test',
      })),
    });
  }
  store.close();
}
