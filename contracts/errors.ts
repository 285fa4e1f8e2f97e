/** The only error class of Tidemark. Its closed set of codes says what the caller should do. */

import { limits } from './limits.ts';

/** Codes that may go out on the wire, with their status for `Nats-Service-Error-Code`. */
export const refusalStatus = {
  INVALID_MESSAGE: 400,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  CONFLICT: 409,
  STALE_OWNER: 409,
  EXPIRED: 410,
  TOO_LARGE: 413,
  OVERLOADED: 429,
  INTERNAL: 500,
  UNAVAILABLE: 503,
  STORAGE_FAILED: 507,
} as const;

export type RefusalCode = keyof typeof refusalStatus;

/**
 * Codes that stay inside a process: they end it with this exit code, or become one of the refusals
 * above.
 */
export const processExit = {
  CONFIG_INVALID: 2,
  NOT_THERE: 3,
  LOCK_HELD: 4,
  DEPOSED: 4,
  UNREACHABLE: 4,
  NEWER_SCHEMA: 5,
  ATTENTION: 6,
} as const;

export type ErrorCode = RefusalCode | keyof typeof processExit | 'REJECTED' | 'CLOSED';

export type ErrorOptions = { cause?: unknown; retryAfterMs?: number };

/**
 * An error with a code. The message says what failed, on which thing, and what to do, in lower case
 * without a final stop. `cause` keeps the original error; `retryAfterMs` is set only where a retry
 * can help.
 */
export class TidemarkError extends Error {
  readonly code: ErrorCode;
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'TidemarkError';
    this.code = code;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** Body of a refused request. Nothing was stored unless the code says otherwise. */
export type Refusal = {
  Available: boolean;
  Success: false;
  Code: RefusalCode;
  Reason: string;
  RetryAfterMs?: number;
};

function isRefusalCode(code: string): code is RefusalCode {
  return Object.hasOwn(refusalStatus, code);
}

/**
 * Turns any thrown value into a refusal. Codes that are not for the wire become INTERNAL, and there
 * is no stack trace.
 */
export function toRefusal(thrown: unknown): Refusal {
  const error =
    thrown instanceof TidemarkError ? thrown : new TidemarkError('INTERNAL', messageOf(thrown));
  const code = isRefusalCode(error.code) ? error.code : 'INTERNAL';
  return {
    Available: code !== 'UNAVAILABLE' && code !== 'STORAGE_FAILED',
    Success: false,
    Code: code,
    Reason: error.message.slice(0, limits.refusalCharsMax).toWellFormed(),
    ...(error.retryAfterMs === undefined ? {} : { RetryAfterMs: error.retryAfterMs }),
  };
}

/** The message of any thrown value. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
