/** What came back on the bus, or did not: answers decoded, refusals and failures as our errors. Shares the home of the NATS client with `bus.ts`. */
import { AuthorizationError, NoRespondersError, RequestError, TimeoutError } from 'nats';
import type { Answer } from '../contracts/answer-chunks.ts';
import { decodeBody } from '../contracts/codec.ts';
import { messageOf, type RefusalCode, refusalStatus, TidemarkError } from '../contracts/errors.ts';
import { isJsonObject } from '../contracts/json-value.ts';

/** The value of an answer. @throws TidemarkError with the code of the refusal, when it is one */
export function decodeAnswer(message: Answer, subject: string): unknown {
  const value = decodeBody(message.data, message.headers);
  const status = message.headers?.get('Nats-Service-Error-Code');
  if (!status) return value;
  const body = isJsonObject(value) ? value : {};
  const code = typeof body['Code'] === 'string' && Object.hasOwn(refusalStatus, body['Code']) ? (body['Code'] as RefusalCode) : 'INTERNAL';
  const reason = typeof body['Reason'] === 'string' ? body['Reason'] : message.headers?.get('Nats-Service-Error') || 'no reason given';
  const retryAfterMs = body['RetryAfterMs'];
  throw new TidemarkError(code, `${subject}: ${reason}`, typeof retryAfterMs === 'number' ? { retryAfterMs } : {});
}

/** True when nobody listens on the subject: the other side is not there, rather than slow. */
export function isNoResponders(error: unknown): boolean {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if (at instanceof NoRespondersError || (at instanceof RequestError && at.isNoResponders())) return true;
  }
  return false;
}

/** Any failure to get an answer, as UNAVAILABLE with its cause. */
export function toUnavailable(subject: string, cause: unknown): TidemarkError {
  if (cause instanceof TidemarkError) return cause;
  if (isNoResponders(cause)) return new TidemarkError('UNAVAILABLE', `${subject}: nobody answers there`, { cause });
  const why = cause instanceof TimeoutError || (cause instanceof Error && cause.name === 'TimeoutError') ? 'no answer in time' : messageOf(cause);
  return new TidemarkError('UNAVAILABLE', `${subject}: ${why}`, { cause });
}

/** Codes of TLS that no waiting mends: the certificate of one side is not what the other trusts. */
const certificateCode = /^(?:CERT_|DEPTH_|SELF_SIGNED|UNABLE_TO_|ERR_TLS_CERT|ERR_SSL_|ERR_OSSL_|HOSTNAME_MISMATCH)/;

/** Why there is no connection, in one line for an operator. */
export function whyNoBus(servers: string, cause: unknown): TidemarkError {
  const reason = messageOf(cause).replace(/\s+/g, ' ');
  if (has(cause, (one) => one instanceof AuthorizationError)) {
    return new TidemarkError('CONFIG_INVALID', `the bus at ${servers} does not let us in: ${reason}; check user and password, token, creds or nkey (docs/SECURITY.md)`, { cause });
  }
  if (has(cause, (one) => certificateCode.test((one as NodeJS.ErrnoException).code ?? ''))) {
    return new TidemarkError('CONFIG_INVALID', `the bus at ${servers} and we do not trust each other: ${reason}; check the files of ca, cert and key`, { cause });
  }
  return new TidemarkError('UNREACHABLE', `no bus at ${servers}: ${reason}; is nats-server running there?`, { cause });
}

function has(error: unknown, isIt: (one: Error) => boolean): boolean {
  for (let at: unknown = error; at instanceof Error; at = at.cause) if (isIt(at)) return true;
  return false;
}
