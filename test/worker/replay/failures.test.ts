/** What a failed delivery means for the beacon. */
import { TimeoutError } from 'nats';
import { expect, test } from 'vitest';
import { TidemarkError } from '../../../contracts/errors.ts';
import { toUnavailable } from '../../../runtime/bus/bus-answer.ts';
import { Failures, type FailuresOptions } from '../../../worker/replay/failures.ts';

function checkedAfter(error: Error): number {
  let checks = 0;
  const destinations = {
    directory: { markAwayIfUnreachable: () => {} },
    assignments: { targetOf: () => ({ recheckSchema: () => (checks += 1) }) },
  } as unknown as FailuresOptions['destinations'];
  const unexpected = () => {
    throw new Error('not a failure of the store');
  };
  new Failures({ destinations, onFull: unexpected, onStoreFault: unexpected }).failed(
    'queue',
    'db-1',
    error,
  );
  return checks;
}

test('a beacon that is only slow is not bootstrapped again, which held up the other lane', () => {
  expect(checkedAfter(new TidemarkError('OVERLOADED', '9 are waiting'))).toBe(0);
  expect(checkedAfter(toUnavailable('mesh.db-1', new TimeoutError()))).toBe(0);
});

test('after another refusal the schema is checked: a table may be missing', () => {
  expect(checkedAfter(new TidemarkError('UNAVAILABLE', 'there is no table'))).toBe(1);
});
