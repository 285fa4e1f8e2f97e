/** A hub that stops in good order, with nobody to take what it still has. */
import { expect, test } from 'vitest';
import { QueuePersistenceBridge } from '../../dropin/bridges.ts';
import { freePort } from '../../runtime/bus/nats-server.ts';
import { TidemarkProcess } from '../kit/processes/processes.ts';
import { TestNats } from '../kit/servers/nats.ts';
import { tempDir } from '../kit/temp-dir.ts';
import { until } from '../kit/until.ts';

const exitMs = 20_000;

function closing(url: string, file: string, bus: 'never' | 'gone'): TidemarkProcess {
  return new TidemarkProcess([url, file, bus], {}, [], 'test/kit/dropin/closing-child.ts');
}

/** Ends within the time, and what waited is in the file. */
async function expectLeft(hub: TidemarkProcess, sinceMs: number, file: string): Promise<void> {
  expect(await hub.exited).toBe('exit 0');
  expect(performance.now() - sinceMs).toBeLessThan(exitMs);
  const NatsURL = `nats://127.0.0.1:${await freePort()}`;
  const next = new QueuePersistenceBridge({ NatsURL, HubID: 'hub1', File: file });
  await until('its write is there', () => next.unanswered === 1);
  await next.close(0);
}

test.concurrent.each([
  { of: 'that was never there', bus: 'never' as const },
  { of: 'that is gone', bus: 'gone' as const },
])(
  'the process of a hub ends after close() although it waits for a bus $of',
  async ({ bus }) => {
    using dir = tempDir('close');
    await using nats = await TestNats.start();
    if (bus === 'never') await nats.kill();
    const file = dir.at('waiting.sqlite');
    let sinceMs = performance.now();
    await using hub = closing(nats.url, file, bus);
    if (bus === 'gone') {
      await until('it has the bus', () => hub.stdout.includes('there'));
      await nats.kill();
      sinceMs = performance.now();
    }
    const late = setTimeout(() => void hub.kill(), exitMs + 2_000);
    await expectLeft(hub, sinceMs, file);
    clearTimeout(late);
  },
  60_000,
);
