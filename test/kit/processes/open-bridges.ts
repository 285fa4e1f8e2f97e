/** Drop-in bridges over a running system, closed after the last test of the file. */
import { afterAll, beforeAll } from 'vitest';
import type { BridgeOptions } from '../../../dropin/config.ts';
import { ManifestStoreBridge, QueuePersistenceBridge } from '../../../dropin/bridges.ts';
import { Stack } from './stack.ts';

type Closing = { close(waitMs?: number): Promise<unknown> };

export const ok = { Available: true, Success: true };

/** To be called once in a file of tests. */
export function openBridges() {
  let running: Stack;
  const opened: Closing[] = [];
  beforeAll(async () => {
    running = await Stack.start();
  }, 90_000);
  afterAll(async () => {
    await Promise.all(opened.map((bridge) => bridge.close(0)));
    await running?.[Symbol.asyncDispose]();
  });
  const kept = <T extends Closing>(bridge: T): T => {
    opened.push(bridge);
    return bridge;
  };
  const settings = (more: BridgeOptions) => ({
    NatsURL: running.nats.url,
    HubID: 'hub1',
    ...more,
  });
  return {
    stack: () => running,
    kept,
    queueOf: (more: BridgeOptions = {}) => kept(new QueuePersistenceBridge(settings(more))),
    manifestsOf: (more: BridgeOptions = {}) => kept(new ManifestStoreBridge(settings(more))),
  };
}
