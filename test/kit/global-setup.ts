/** What every test run needs before it starts: a Node that runs TypeScript, and a nats-server. */
import { natsBinary } from './nats.ts';

/** @throws Error or TidemarkError with a line on what to do. */
export function setup(): void {
  const [major = '0'] = process.versions.node.split('.');
  if (Number(major) < 24) throw new Error(`the tests need Node 24 or newer, this is ${process.versions.node}; run them with npm test after npm ci`);
  natsBinary();
}
