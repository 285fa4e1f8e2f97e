/** Calls to the worker, and their token: asked for on 401, kept for this tab. */
import { askToken } from '../parts/dialogs.js';

const tokenName = 'tidemark-token';
/** @type {Promise<boolean> | null} */
let asking = null;

/** A refusal by the worker, with a message for the reader. */
export class CallError extends Error {
  /** @param {number} status @param {string} message */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** @returns {Record<string, string>} */
export function authorization() {
  const token = sessionStorage.getItem(tokenName);
  return token === null ? {} : { Authorization: `Bearer ${token}` };
}

/**
 * Asks for a token; concurrent calls ask only once. Resolves to false when the reader declines.
 * @param {string | undefined} tried the header that was refused
 */
export function needToken(tried) {
  asking ??= askToken(tried !== undefined)
    .then((token) => {
      if (token !== null) sessionStorage.setItem(tokenName, token);
      else sessionStorage.removeItem(tokenName);
      return token !== null;
    })
    .finally(() => {
      asking = null;
    });
  return asking;
}

/**
 * @param {string} path relative to the page
 * @param {{ method?: string, body?: object, isMissOk?: boolean }} [options] isMissOk: a 404 is an
 * answer, not an error
 * @returns {Promise<any>}
 * @throws {CallError} with the worker's message, or status 0 when it cannot be reached
 */
export async function call(path, { method = 'GET', body, isMissOk = false } = {}) {
  for (;;) {
    /** @type {Record<string, string>} */
    const headers = { ...authorization(), ...(body ? { 'Content-Type': 'application/json' } : {}) };
    const response = await fetch(path, {
      method,
      headers,
      cache: 'no-store',
      ...(body ? { body: JSON.stringify(body) } : {}),
    }).catch(() => {
      throw new CallError(0, 'the worker cannot be reached');
    });
    const answer = await response.json().catch(() => ({}));
    if (response.ok || (isMissOk && response.status === 404)) return answer;
    if (response.status !== 401)
      throw new CallError(response.status, String(answer.Reason ?? `answer ${response.status}`));
    // Another call may have obtained a token meanwhile.
    if (authorization()['Authorization'] !== headers['Authorization']) continue;
    if (!(await needToken(headers['Authorization'])))
      throw new CallError(401, 'this needs a token');
  }
}
