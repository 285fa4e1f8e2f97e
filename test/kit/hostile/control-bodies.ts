/** Bodies of the operators' verbs, and of what databeacons are asked by name. */
import {
  type ControlVerb,
  controlVerbNames,
  controlVerbs,
} from '../../../contracts/control-verbs.ts';
import type { Dice } from '../simulator/dice.ts';
import { docOf, guid, strange } from './shapes.ts';

/** Verbs that change nothing, whatever is asked, or with the bodies made here. */
export const lookingVerbs: readonly ControlVerb[] = controlVerbNames.filter((verb) =>
  controlVerbs[verb]({}),
);

const members: Readonly<Record<string, (dice: Dice) => unknown>> = {
  EventGUID: guid,
  Lane: (dice) => dice.pick(['queue', 'manifest', 'Queue', '__proto__']),
  Key: (dice) => `stranger-${dice.below(10)}`,
  Limit: (dice) => dice.pick([0, -1, 1, 5_000, 1e9, 'x']),
  After: (dice) => dice.pick([0, -1, 2 ** 53, 'x', guid(dice)]),
  Before: (dice) => dice.pick([0, -1, 2 ** 53, null]),
  Verb: (dice) => dice.pick(['list', 'show', 'status', 'history', 'stats', 'ls', 'constructor']),
  Seq: (dice) => dice.pick([0, 1, -1, 2 ** 53 - 2, '1']),
  Run: (dice) => dice.pick(['../../x', 'y', guid(dice)]),
  From: (dice) => dice.pick([0, -5, 1e12]),
  Where: (dice) => docOf({ Lane: 'queue', Key: '%'.repeat(200), Reason: strange(dice) }),
};

export function bodyOfControl(dice: Dice, verb: string): Record<string, unknown> {
  const body = docOf();
  for (const [name, make] of Object.entries(members))
    if (dice.chance(verb === 'status' ? 0.1 : 0.35)) body[name] = make(dice);
  return body;
}
