/** Parses the arguments of operations, which come as text from the command line. */
import { TidemarkError } from '../../contracts/errors.ts';
import { type Lane, lanes } from '../../contracts/subjects.ts';

type Args = Readonly<Record<string, string>>;

/**
 * An integer of at least `least`, or `otherwise` when the argument is not given.
 * @throws TidemarkError INVALID_MESSAGE
 */
export function countArg<T>(args: Args, name: string, least: number, otherwise: T): number | T {
  const text = args[name];
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(value) || value < least)
    throw new TidemarkError(
      'INVALID_MESSAGE',
      `${name}=${text}: expected an integer of at least ${least}`,
    );
  return value;
}

/** @throws TidemarkError INVALID_MESSAGE for anything but yes and no */
export function isArgSet(args: Args, name: string): boolean {
  const text = args[name] ?? 'no';
  if (text !== 'yes' && text !== 'no')
    throw new TidemarkError('INVALID_MESSAGE', `${name}=${text}: expected yes or no`);
  return text === 'yes';
}

/**
 * The named lane, or both.
 * @throws TidemarkError INVALID_MESSAGE
 */
export function lanesArg(args: Args): readonly Lane[] {
  const text = args['lane'];
  if (text === undefined) return lanes;
  const lane = lanes.find((one) => one === text);
  if (!lane)
    throw new TidemarkError('INVALID_MESSAGE', `lane=${text}: expected ${lanes.join(' or ')}`);
  return [lane];
}
