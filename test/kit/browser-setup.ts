/** What the tests of the console need before they start: a browser, installed once for all of them. */
import { chromiumBinary } from './servers/browser.ts';

/** @throws Error with a line on how to get one */
export function setup(): void {
  chromiumBinary();
}
