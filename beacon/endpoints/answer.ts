/** Answers of a table endpoint: a status with a JSON body, for every error too. */
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import { StatementFault } from '../engine/engine.ts';
import { BadRequest } from '../sql/filter.ts';
import { Misfit } from '../engine/table.ts';

export type EndpointAnswer = { status: number; body: unknown; headers?: Record<string, string> };
export type ErrorBody = { Error: string; StatusCode: number; Code: string };

export const notFound: ErrorBody = {
  Error: 'Record not Found',
  StatusCode: 404,
  Code: 'NOT_FOUND',
};

/** An error in the form meadow's clients expect; its StatusCode is the status of the answer. */
export function errorBody(error: unknown): ErrorBody {
  const of = (status: number, code: string): ErrorBody => ({
    Error: messageOf(error),
    StatusCode: status,
    Code: code,
  });
  if (error instanceof BadRequest) return of(400, 'BAD_REQUEST');
  if (error instanceof Misfit) return of(422, 'MISFIT');
  if (error instanceof StatementFault)
    return of({ unique: 409, misfit: 422, other: 500 }[error.kind], error.code);
  if (!(error instanceof TidemarkError)) return of(500, 'INTERNAL');
  switch (error.code) {
    case 'UNAVAILABLE':
    case 'OVERLOADED':
      return of(503, error.code);
    case 'FORBIDDEN':
      return of(403, error.code);
    case 'TOO_LARGE':
      return of(413, error.code);
    case 'CONFLICT':
      return of(409, error.code);
    default:
      return of(500, 'INTERNAL');
  }
}

export function failure(error: unknown): EndpointAnswer {
  const body = errorBody(error);
  return { status: body.StatusCode, body };
}
