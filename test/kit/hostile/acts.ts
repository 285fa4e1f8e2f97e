/** The acts of a campaign: what one step sends, made from a seed and the step's number alone. */
import { Buffer } from 'node:buffer';
import { Dice } from '../simulator/dice.ts';
import { type BusAct, busAct } from './bus-acts.ts';
import { type HttpAct, httpAct } from './http-acts.ts';
import { viewToken } from './rig.ts';
import type { Stranger } from './roles.ts';

export type Act = { kind: 'bus'; act: BusAct } | { kind: 'http'; act: HttpAct };

const hexBytesMax = 600;
const weights: Record<Stranger, number> = {
  hub1: 6,
  worker2: 6,
  'db-3': 4,
  operator1: 2,
  hub2: 1,
  operator2: 1,
  guest: 0.5,
};

/** The step of a seed. */
export function actOf(seed: number, step: number): Act {
  const dice = new Dice(Math.imul(seed, 1_000_003) ^ Math.imul(step, 2_654_435_761));
  // The first throws of seeds that are near to each other are near too.
  for (let warm = 0; warm < 4; warm += 1) dice.real();
  if (dice.chance(0.25)) return { kind: 'http', act: httpAct(dice, viewToken) };
  return { kind: 'bus', act: busAct(dice, dice.weighted(weights)) };
}

export function roleOf({ kind, act }: Act): string {
  return kind === 'http' ? `${act.role} -> HTTP of ${act.target}` : act.role;
}

/** How many messages, the subject, and the first of them in hex, cut where it is long. */
export function messageOf({ kind, act }: Act): string {
  const [first] = kind === 'bus' ? act.messages : act.requests;
  const count = kind === 'bus' ? act.messages.length : act.requests.length;
  const subject = kind === 'bus' ? `${act.messages[0]?.subject} ` : '';
  const bytes = Buffer.from(first?.bytes ?? []);
  const cut = bytes.length > hexBytesMax ? '...' : '';
  return `${kind} x${count} ${subject}${bytes.subarray(0, hexBytesMax).toString('hex')}${cut}`;
}
