/** Thread that decodes one large body after the other. */
import { parentPort } from 'node:worker_threads';
import { decodeLarge, type LargeBody } from './large-body.ts';

parentPort?.on('message', (body: LargeBody) => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- the port of a thread has no origin.
  parentPort?.postMessage(decodeLarge(body));
});
