/**
 * JSON read without rounding: an integer that would not be read back in the same digits becomes a
 * big integer, which is refused with its path where it is used, as one of MessagePack is.
 */
import { TidemarkError } from '../errors.ts';
import { limits } from '../limits.ts';

/** A number of 16 digits or more where one can stand; what is shorter is exact. */
const mayBeLong = /(?:^|[[,:])\s*-?\d{16}/;

const [quote, comma, minus, zero, nine] = [0x22, 0x2c, 0x2d, 0x30, 0x39] as const;
const [openBracket, closeBracket, openBrace, closeBrace] = [0x5b, 0x5d, 0x7b, 0x7d] as const;
const backslash = 0x5c;

/** Whether a number has these digits when it is written again. */
export function isExact(digits: string): boolean {
  return String(Number(digits)) === digits;
}

/**
 * JSON text to a value.
 * @throws SyntaxError when it is no JSON, TidemarkError INVALID_MESSAGE for too many integers that
 * would be rounded
 */
export function parseJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  // A reviver is told the digits too, but for each value, and takes ten times as long.
  return mayBeLong.test(text) ? new LongIntegers(text).putInto(value) : value;
}

/** A place on the way to a value: where its name stands in the text, or its index in a list. */
type Level = { isList: boolean; index: number; nameFrom: number; nameTo: number };
type Found = { path: (string | number)[]; value: bigint };

/** One pass over JSON that is known to be well-formed, with the way to where it is. */
class LongIntegers {
  readonly #text: string;
  readonly #levels: Level[] = [];
  readonly #found: Found[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  putInto(value: unknown): unknown {
    this.#find();
    const root = { value };
    for (const { path, value: integer } of this.#found) put(root, ['value', ...path], integer);
    return root.value;
  }

  #find(): void {
    for (let at = 0; at < this.#text.length; at += 1) {
      const code = this.#text.charCodeAt(at);
      const level = this.#levels.at(-1);
      if (code === quote) at = this.#string(at, level);
      else if (code === comma && level) level.index += 1;
      else if (code === openBracket || code === openBrace)
        this.#levels.push({ isList: code === openBracket, index: 0, nameFrom: -1, nameTo: -1 });
      else if (code === closeBracket || code === closeBrace) this.#levels.pop();
      else if (code === minus || isDigit(code)) at = this.#number(at);
    }
  }

  /** Returns where it ends. The last string before a value is the value's name. */
  #string(from: number, level: Level | undefined): number {
    const end = endOfString(this.#text, from);
    if (level && !level.isList && isName(this.#text, end + 1)) {
      level.nameFrom = from;
      level.nameTo = end + 1;
    }
    return end;
  }

  /** Returns where it ends; only one that is large enough is written again. */
  #number(from: number): number {
    let [at, value] = [from, 0];
    if (this.#text.charCodeAt(at) === minus) at += 1;
    for (let code = this.#text.charCodeAt(at); isDigit(code); code = this.#text.charCodeAt(at)) {
      value = value * 10 + (code - zero);
      at += 1;
    }
    if ('.eE'.includes(this.#text.charAt(at)) && at < this.#text.length)
      return endOfNumber(this.#text, at);
    if (value > Number.MAX_SAFE_INTEGER) {
      const digits = this.#text.slice(from, at);
      if (!isExact(digits)) this.#keep(digits);
    }
    return at - 1;
  }

  #keep(digits: string): void {
    if (this.#found.length >= limits.longIntegersMax)
      throw new TidemarkError(
        'INVALID_MESSAGE',
        `body: over ${limits.longIntegersMax} integers beyond ±2^53, which would be rounded`,
      );
    const path = this.#levels.map(({ isList, index, nameFrom, nameTo }) =>
      isList ? index : (JSON.parse(this.#text.slice(nameFrom, nameTo)) as string),
    );
    this.#found.push({ path, value: BigInt(digits) });
  }
}

function isDigit(code: number): boolean {
  return code >= zero && code <= nine;
}

function endOfString(text: string, from: number): number {
  for (let at = text.indexOf('"', from + 1); at !== -1; at = text.indexOf('"', at + 1)) {
    let slashes = 0;
    while (text.charCodeAt(at - 1 - slashes) === backslash) slashes += 1;
    if (slashes % 2 === 0) return at;
  }
  return text.length;
}

function isName(text: string, from: number): boolean {
  let at = from;
  while (' \t\n\r'.includes(text.charAt(at)) && at < text.length) at += 1;
  return text.charAt(at) === ':';
}

function endOfNumber(text: string, from: number): number {
  let at = from;
  while ('+-.eE0123456789'.includes(text.charAt(at + 1)) && at + 1 < text.length) at += 1;
  return at;
}

/** A name that stands twice in an object keeps its last value, so that the way may end early. */
function put(root: object, path: readonly (string | number)[], value: bigint): void {
  let at: unknown = root;
  for (const [depth, name] of path.entries()) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) return;
    const isLast = depth === path.length - 1;
    // An assignment to `__proto__` would change what the object is.
    if (isLast) Object.defineProperty(at, name, { value });
    else at = Object.getOwnPropertyDescriptor(at, name)?.value;
  }
}
