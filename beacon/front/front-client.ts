/**
 * HTTP client for a running retold-databeacon: bounded in time and size, follows no redirects, and
 * talks to one server only. The only place in beacon/ with outgoing HTTP.
 */
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import { isJsonObject, type JsonObject } from '../../contracts/body/json-value.ts';
import { limits } from '../../contracts/limits.ts';
import { maskedUrl } from '../../runtime/masked.ts';
import { bounds } from '../bounds.ts';

export type FrontCall = { body?: string; user?: string; session?: string; timeoutMs: number };
export type FrontReply = { status: number; headers: Record<string, string>; text: string };

export class FrontClient {
  readonly #base: URL;
  /** Called for every request that got no answer. */
  onSilence: () => void = () => undefined;

  /** @param base a URL checked by `frontUrl` */
  constructor(base: string) {
    this.#base = new URL(base);
  }

  get label(): string {
    return this.#base.origin;
  }

  /**
   * Sends one request; any status is an answer.
   * @throws TidemarkError UNAVAILABLE without an answer, TOO_LARGE beyond the bounds,
   * INVALID_MESSAGE for a path that URL parsing would change
   */
  async call(
    method: string,
    path: string,
    { body, user, session, timeoutMs }: FrontCall,
  ): Promise<FrontReply> {
    const url = this.#urlOf(path);
    if (body !== undefined && Buffer.byteLength(body) > limits.bodyBytesMax)
      throw new TidemarkError('TOO_LARGE', `the body has more than ${limits.bodyBytesMax} bytes`);
    const headers = {
      'Content-Type': 'application/json',
      'X-DataBeacon-MeadowProxy': '1',
      ...(user === undefined ? {} : { 'X-Beacon-User': headerText(user) }),
      ...(session === undefined ? {} : { 'x-trusted-session': headerText(session) }),
    };
    try {
      const response = await fetch(url, {
        method,
        headers,
        redirect: 'manual',
        signal: AbortSignal.timeout(timeoutMs),
        ...(body === undefined ? {} : { body }),
      });
      const text = await textOf(response);
      return { status: response.status, headers: headersOf(response.headers), text };
    } catch (cause) {
      if (cause instanceof TidemarkError) throw cause;
      this.onSilence();
      throw new TidemarkError(
        'UNAVAILABLE',
        `${this.label} does not answer: ${reasonOf(cause, timeoutMs)}`,
        { cause, retryAfterMs: limits.unavailableRetryMs },
      );
    }
  }

  /**
   * Calls a management route.
   * @throws TidemarkError as `call`, and INVALID_MESSAGE with the server's reason when it refuses
   */
  async manage(
    method: string,
    path: string,
    timeoutMs: number = limits.bootstrapStepMs,
    body?: object,
  ): Promise<JsonObject> {
    const { status, text } = await this.call(method, path, {
      timeoutMs,
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    const answer = parsed(text);
    if (status >= 500 && answer === null)
      throw new TidemarkError('UNAVAILABLE', `${this.label}: ${method} ${path} answered ${status}`);
    // Several routes report errors with status 200 and `{ Error }`.
    const isRefused =
      answer?.['Success'] === false ||
      (answer?.['Success'] !== true && typeof answer?.['Error'] === 'string');
    if (status >= 300 || answer === null || isRefused) {
      throw new TidemarkError(
        'INVALID_MESSAGE',
        `${this.label}: ${method} ${path} answered ${status}: ` +
          String(answer?.['Error'] ?? answer?.['message'] ?? text).slice(0, bounds.reasonCharsMax),
      );
    }
    return answer;
  }

  /**
   * URL parsing removes dot segments, also percent-encoded ones. The path sent must be the one the
   * allowlist checked.
   */
  #urlOf(path: string): URL {
    const full = path.startsWith('/') ? path : `/${path}`;
    const url = URL.canParse(full, this.#base.href) ? new URL(full, this.#base) : null;
    if (
      url === null ||
      url.origin !== this.#base.origin ||
      `${url.pathname}${url.search}` !== full
    ) {
      throw new TidemarkError(
        'INVALID_MESSAGE',
        'MeadowProxy: path cannot be sent as it is; percent-encode its special characters.',
      );
    }
    return url;
  }
}

/**
 * Checks the server's address.
 * @throws TidemarkError CONFIG_INVALID
 */
export function frontUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (
    url === null ||
    !/^https?:$/.test(url.protocol) ||
    url.pathname !== '/' ||
    url.search !== '' ||
    url.username !== ''
  ) {
    throw new TidemarkError(
      'CONFIG_INVALID',
      '--front: expected http://host:port of a retold-databeacon, got ' +
        JSON.stringify(maskedUrl(text)),
    );
  }
  return url.href;
}

async function textOf(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body ?? []) {
    bytes += part.length;
    // Throwing out of the loop closes the connection.
    if (bytes > bounds.answerBytesMax)
      throw new TidemarkError(
        'TOO_LARGE',
        `the answer has more than ${bounds.answerBytesMax} bytes; ask for fewer rows`,
      );
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

/**
 * Keeps the content type and the `x-` headers: an upsert of many rows returns its counts only
 * there.
 */
function headersOf(given: Headers): Record<string, string> {
  const told = [...given].filter(([name]) => name.startsWith('x-'));
  return {
    'content-type': given.get('content-type') ?? 'application/json',
    ...Object.fromEntries(told),
  };
}

function headerText(text: string): string {
  return text.replaceAll(/[^\x20-\x7E]/g, '?').slice(0, bounds.httpHeaderBytes / 4);
}

function reasonOf(cause: unknown, timeoutMs: number): string {
  if (cause instanceof Error && cause.name === 'TimeoutError')
    return `nothing within ${timeoutMs} ms`;
  return cause instanceof Error && cause.cause !== undefined
    ? messageOf(cause.cause)
    : messageOf(cause);
}

function parsed(text: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : null;
  } catch {
    return null;
  }
}
