/** Bodies of MeadowProxy.Request and of its answers: JSON text within bounds. */
import type { ProxyOutputs } from '../../contracts/capability.ts';
import { TidemarkError } from '../../contracts/errors.ts';
import { type EndpointAnswer, failure } from '../endpoints/answer.ts';
import { bounds } from '../bounds.ts';
import { BadRequest } from '../sql/filter.ts';

/**
 * Parses a body of JSON text; an object is taken as it is.
 * @throws BadRequest, TidemarkError TOO_LARGE
 */
export function parseBody(body: unknown, bytesMax: number): unknown {
  const text = typeof body === 'string' ? body : JSON.stringify(body ?? null);
  const bytes = text.length * 3 <= bytesMax ? 0 : Buffer.byteLength(text);
  if (bytes > bytesMax)
    throw new TidemarkError('TOO_LARGE', `the body has ${bytes} bytes, at most ${bytesMax}`);
  if (typeof body !== 'string') return body;
  try {
    return JSON.parse(body);
  } catch {
    throw new BadRequest('the body is not readable as JSON');
  }
}

export function toOutputs(answer: EndpointAnswer): ProxyOutputs {
  const body = answer.body === undefined ? '' : JSON.stringify(answer.body);
  if (body.length > bounds.answerBytesMax) {
    return toOutputs(
      failure(
        new TidemarkError(
          'TOO_LARGE',
          `the answer has ${body.length} characters; ask for fewer rows`,
        ),
      ),
    );
  }
  return {
    Status: answer.status,
    Headers: { 'content-type': 'application/json', ...answer.headers },
    Body: body,
  };
}

/** Number of rows in an answer, for the audit. */
export function rowsIn({ status, body }: EndpointAnswer): number {
  if (status >= 300) return 0;
  return Array.isArray(body) ? body.length : 1;
}
