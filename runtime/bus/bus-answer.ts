/**
 * Decodes answers from the bus, and turns refusals and failures into our errors. Shares the home of
 * the NATS client with `bus.ts`.
 */
import { NoRespondersError, RequestError, TimeoutError } from 'nats';
import type { AnswerMessage } from '../../contracts/body/answer-chunks.ts';
import { decodeBody } from '../../contracts/body/codec.ts';
import {
  messageOf,
  type RefusalCode,
  refusalStatus,
  TidemarkError,
} from '../../contracts/errors.ts';
import { isJsonObject } from '../../contracts/body/json-value.ts';

/**
 * Decodes the value of an answer.
 * @throws TidemarkError with the code of the refusal, when it is one
 */
export function decodeAnswer(message: AnswerMessage, subject: string): unknown {
  const value = decodeBody(message.data, message.headers);
  const status = message.headers?.get('Nats-Service-Error-Code');
  if (!status) return value;
  const body = isJsonObject(value) ? value : {};
  const code =
    typeof body['Code'] === 'string' && Object.hasOwn(refusalStatus, body['Code'])
      ? (body['Code'] as RefusalCode)
      : 'INTERNAL';
  const reason =
    typeof body['Reason'] === 'string'
      ? body['Reason']
      : message.headers?.get('Nats-Service-Error') || 'no reason given';
  const retryAfterMs = body['RetryAfterMs'];
  throw new TidemarkError(
    code,
    `${subject}: ${reason}`,
    typeof retryAfterMs === 'number' ? { retryAfterMs } : {},
  );
}

/** True when nobody listens on the subject: the other side is absent, not slow. */
export function isNoResponders(error: unknown): boolean {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if (at instanceof NoRespondersError || (at instanceof RequestError && at.isNoResponders()))
      return true;
  }
  return false;
}

/** True when the answer did not come in time: the other side is there, and slow or hung. */
export function isLate(error: unknown): boolean {
  for (let at: unknown = error; at instanceof Error; at = at.cause)
    if (at instanceof TimeoutError || at.name === 'TimeoutError') return true;
  return false;
}

/** Wraps any failure to get an answer as UNAVAILABLE with its cause. */
export function toUnavailable(subject: string, cause: unknown): TidemarkError {
  if (cause instanceof TidemarkError) return cause;
  if (isNoResponders(cause))
    return new TidemarkError('UNAVAILABLE', `${subject}: nobody answers there`, { cause });
  const why = isLate(cause) ? 'no answer in time' : messageOf(cause);
  return new TidemarkError('UNAVAILABLE', `${subject}: ${why}`, { cause });
}
