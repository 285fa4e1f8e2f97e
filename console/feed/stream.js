/**
 * Follows the worker's events, and reconnects by itself. A plain EventSource cannot send a token.
 */
import { authorization, needToken } from './api.js';
import { eventReader } from './sse.js';

/**
 * The worker sends a heartbeat every five seconds; after this much silence it counts as
 * unreachable.
 */
const silenceMs = 12_000;
const firstDelayMs = 500;
const longestDelayMs = 4_000;

/**
 * @typedef {{ onEvent: (name: string, data: any) => void, onUp: () => void, onDown: (reason:
 * string) => void, onDeclined: () => Promise<void> }} StreamParts onDeclined resolves when the
 * reader has a token after all
 */

export class Stream {
  /** @param {StreamParts} parts */
  constructor(parts) {
    this.parts = parts;
    this.path = '';
    /** @type {AbortController | null} */
    this.running = null;
  }

  /**
   * Follows a path from now on; does nothing when it is already followed.
   * @param {string} path
   */
  follow(path) {
    if (path === this.path) return;
    this.path = path;
    this.running?.abort();
    this.running = new AbortController();
    void this.run(path, this.running.signal);
  }

  /** @param {string} path @param {AbortSignal} ended */
  async run(path, ended) {
    let delayMs = firstDelayMs;
    while (!ended.aborted) {
      const why = await this.once(path, ended, () => {
        delayMs = firstDelayMs;
      });
      if (ended.aborted) return;
      // The reader has entered a token: try again with it.
      if (why === '') continue;
      this.parts.onDown(why);
      await new Promise((resolve) => {
        setTimeout(resolve, delayMs);
      });
      delayMs = Math.min(longestDelayMs, delayMs * 1.5);
    }
  }

  /**
   * One connection, until it ends.
   * @param {string} path
   * @param {AbortSignal} ended
   * @param {() => void} onHeard
   * @returns {Promise<string>} why it ended; empty to reconnect at once
   */
  async once(path, ended, onHeard) {
    const silence = new AbortController();
    let timer = setTimeout(() => silence.abort(), silenceMs);
    try {
      const headers = authorization();
      const response = await fetch(path, {
        headers,
        cache: 'no-store',
        signal: AbortSignal.any([ended, silence.signal]),
      });
      if (response.status === 401) {
        clearTimeout(timer);
        const isNewer = authorization()['Authorization'] !== headers['Authorization'];
        if (!isNewer && !(await needToken(headers['Authorization']))) await this.parts.onDeclined();
        return '';
      }
      if (!response.ok || !response.body)
        return String(
          (await response.json().catch(() => ({}))).Reason ?? `answer ${response.status}`,
        );
      const read = eventReader((name, data) => this.parts.onEvent(name, JSON.parse(data)));
      this.parts.onUp();
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        onHeard();
        clearTimeout(timer);
        timer = setTimeout(() => silence.abort(), silenceMs);
        read(value);
      }
      return 'the worker ended the connection';
    } catch {
      return silence.signal.aborted ? 'the worker is silent' : 'the worker cannot be reached';
    } finally {
      clearTimeout(timer);
    }
  }
}
