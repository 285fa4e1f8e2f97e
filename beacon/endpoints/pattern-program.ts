/**
 * Compiles a regular expression, without its expensive features, to steps that are followed in
 * parallel. However it is written, a match takes time proportional to its length times that of the
 * text.
 */
import { TidemarkError } from '../../contracts/errors.ts';
import { bounds } from '../bounds.ts';

/** One step. The next one follows, except after a jump or a fork. */
export type Step =
  | { do: 'take'; holds: (code: number) => boolean }
  | { do: 'fork'; to: number; or: number }
  | { do: 'jump'; to: number }
  | { do: 'start' | 'end' | 'done' };

const refusedGroups = /^\(\?(?:<?[=!]|[^:<])/;
const group = /^\((?:\?:|\?<[A-Za-z_$][\w$]*>)?/;
const escaped = /^\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|c[A-Za-z]|[^])/;
const charClass = /^\[(?:\\[^]|[^\]\\])*\]/;
const quantifier = /^(?:[*+?]|\{\d+(?:,\d*)?\})/;

function tooDear(why: string): TidemarkError {
  return new TidemarkError('INVALID_MESSAGE', why);
}

/**
 * Compiles a pattern.
 * @throws TidemarkError INVALID_MESSAGE saying which part of it is not supported
 */
export function programOf(source: string): Step[] {
  try {
    new RegExp(source);
  } catch (cause) {
    throw new TidemarkError('INVALID_MESSAGE', 'it is not a regular expression', { cause });
  }
  return new PatternReader(source).read();
}

class PatternReader {
  readonly #source: string;
  readonly #steps: Step[] = [];
  #at = 0;
  #repeats = 0;
  #choices = 0;

  constructor(source: string) {
    this.#source = source;
  }

  read(): Step[] {
    this.#alternatives();
    this.#add({ do: 'done' });
    if (this.#repeats > bounds.patternRepeatsMax)
      throw tooDear(`it has ${this.#repeats} repetitions, more than ${bounds.patternRepeatsMax}`);
    if (this.#choices > bounds.patternChoicesMax)
      throw tooDear(`it has ${this.#choices} choices, more than ${bounds.patternChoicesMax}`);
    return this.#steps;
  }

  #add(step: Step): void {
    if (this.#steps.length >= bounds.patternStepsMax)
      throw tooDear(`it has more than ${bounds.patternStepsMax} steps`);
    this.#steps.push(step);
  }

  /** Inserts a step before those from `at` on, and adjusts the jumps to them. */
  #insert(at: number, step: Step): void {
    this.#add(step);
    this.#steps.splice(at, 0, this.#steps.pop() as Step);
    for (const other of this.#steps.slice(at + 1)) {
      if (other.do === 'jump' && other.to >= at) other.to += 1;
      if (other.do !== 'fork') continue;
      if (other.to >= at) other.to += 1;
      if (other.or >= at) other.or += 1;
    }
  }

  #next(shape: RegExp): string | null {
    const found = shape.exec(this.#source.slice(this.#at))?.[0] ?? null;
    if (found !== null) this.#at += found.length;
    return found;
  }

  #alternatives(): void {
    const begin = this.#steps.length;
    this.#sequence();
    if (this.#source[this.#at] !== '|') return;
    this.#at += 1;
    this.#choices += 1;
    const jump: Step = { do: 'jump', to: 0 };
    this.#add(jump);
    this.#insert(begin, { do: 'fork', to: begin + 1, or: this.#steps.length + 1 });
    this.#alternatives();
    jump.to = this.#steps.length;
  }

  #sequence(): void {
    while (this.#at < this.#source.length && !'|)'.includes(this.#source[this.#at] as string)) {
      const begin = this.#steps.length;
      const isGroup = this.#piece();
      const repeat = this.#next(quantifier);
      if (repeat === null) continue;
      this.#next(/^\?/);
      if (repeat === '?') this.#optional(begin);
      else this.#repeat(begin, repeat, isGroup);
    }
  }

  /** Reads one group, assertion or character; returns whether it is a group. */
  #piece(): boolean {
    const rest = this.#source.slice(this.#at);
    if (rest.startsWith('(')) return this.#group(rest);
    if (this.#next(/^\^/) !== null) this.#add({ do: 'start' });
    else if (this.#next(/^\$/) !== null) this.#add({ do: 'end' });
    else if (/^\\[1-9k]/.test(rest)) throw tooDear('it refers to a group');
    else if (/^\\[bB]/.test(rest)) throw tooDear('it looks ahead or behind');
    else {
      const text = this.#next(charClass) ?? this.#next(escaped) ?? this.#next(/^[^]/);
      this.#add({ do: 'take', holds: charTest(text ?? '') });
    }
    return false;
  }

  #group(rest: string): boolean {
    if (refusedGroups.test(rest)) throw tooDear('it looks ahead or behind, or sets flags');
    this.#next(group);
    this.#alternatives();
    this.#at += 1;
    return true;
  }

  #optional(begin: number): void {
    this.#choices += 1;
    this.#insert(begin, { do: 'fork', to: begin + 1, or: this.#steps.length + 1 });
  }

  /** Repeats a single character; nothing else may be repeated. */
  #repeat(begin: number, text: string, isGroup: boolean): void {
    if (isGroup) throw tooDear('it repeats a group');
    this.#repeats += 1;
    const [, from = '', comma, to = ''] = /^\{(\d+)(,?)(\d*)\}$/.exec(text) ?? [];
    const least = text === '*' ? 0 : text === '+' ? 1 : Number(from);
    const most = comma === undefined || to === '' ? null : Number(to);
    const one = this.#steps.splice(begin)[0] as Step;
    for (let count = 0; count < least; count += 1) this.#add({ ...one });
    if (comma === '') return;
    if (most === null) return this.#forever(one);
    for (let count = least; count < most; count += 1) {
      const at = this.#steps.length;
      this.#add({ do: 'fork', to: at + 1, or: at + 2 });
      this.#add({ ...one });
    }
  }

  #forever(one: Step): void {
    const at = this.#steps.length;
    this.#add({ do: 'fork', to: at + 1, or: at + 3 });
    this.#add({ ...one });
    this.#add({ do: 'jump', to: at });
  }
}

/** A test whether a character matches a piece of a pattern. */
function charTest(text: string): (code: number) => boolean {
  // On a single character the built-in matcher cannot backtrack.
  const single = new RegExp(`^(?:${text === '/' ? '\\/' : text})$`);
  const isOne = (code: number) => single.test(String.fromCharCode(code));
  const ascii: boolean[] = [];
  return (code) => (code < 128 ? (ascii[code] ??= isOne(code)) : isOne(code));
}
