/**
 * Looks through the bytes of a body before anything is built of them: how many values it has, how
 * deep they nest, and that MessagePack says nothing JSON could not. Bytes are bounded elsewhere; a
 * few thousand of them can mean gigabytes once they are objects.
 */
import { TidemarkError } from '../errors.ts';
import { limits } from '../limits.ts';

/** `undefined` as msgpackr and notepack write it, and the timestamp of the MessagePack standard. */
const extensions = { undefined: 0x00, timestamp: 0xff } as const;

/**
 * What follows the first byte of a MessagePack value, by that byte: bytes of the value itself, or
 * bytes that hold its length. 255 where the byte says neither.
 */
const none = 255;
const valueBytes = new Uint8Array(256).fill(none);
const lengthBytes = new Uint8Array(256).fill(none);
valueBytes.fill(0, 0x00, 0x80); // positive fixint
for (let length = 0; length < 32; length += 1) valueBytes[0xa0 + length] = length; // fixstr
valueBytes.set([0], 0xc0); // nil
valueBytes.set([0, 0], 0xc2); // false, true
valueBytes.set([4, 8, 1, 2, 4, 8, 1, 2, 4, 8], 0xca); // float 32, 64; uint 8 to 64; int 8 to 64
valueBytes.fill(0, 0xe0, 0x100); // negative fixint
lengthBytes.set([1, 2, 4], 0xc4); // bin
lengthBytes.set([1, 2, 4, 2, 4, 2, 4], 0xd9); // str, array, map

/** Data bytes of fixext 1, 2, 4, 8, 16. */
const fixedExtensionBytes: Readonly<Record<number, number>> = {
  0xd4: 1,
  0xd5: 2,
  0xd6: 4,
  0xd7: 8,
  0xd8: 16,
};

function unreadable(why: string): TidemarkError {
  return new TidemarkError('INVALID_MESSAGE', `body: not readable as msgpack: ${why}`);
}

function tooMany(valuesMax: number): TidemarkError {
  return new TidemarkError('TOO_LARGE', `body: more than ${valuesMax} values`);
}

function tooDeep(): TidemarkError {
  return new TidemarkError(
    'INVALID_MESSAGE',
    `body: nested deeper than ${limits.bodyDepthMax} levels`,
  );
}

/** One pass over a MessagePack body; each byte is looked at once, and nothing is built. */
class MessagePackScan {
  readonly #bytes: Uint8Array;
  #at = 0;
  readonly #valuesMax: number;
  #values = 0;

  constructor(bytes: Uint8Array, valuesMax: number) {
    this.#bytes = bytes;
    this.#valuesMax = valuesMax;
  }

  value(depth: number): void {
    this.#values += 1;
    if (this.#values > this.#valuesMax) throw tooMany(this.#valuesMax);
    const first = this.#bytes[this.#at] ?? 0xc1;
    const fixed = valueBytes[first] as number;
    this.#at += 1;
    if (fixed !== none) return this.#skip(fixed);
    if (first >= 0x80 && first <= 0x8f) return this.#members((first & 0x0f) * 2, depth);
    if (first >= 0x90 && first <= 0x9f) return this.#members(first & 0x0f, depth);
    const width = lengthBytes[first] as number;
    if (width === none) return this.#extension(first);
    const length = this.#number(width);
    if (first < 0xdc) this.#skip(length);
    else this.#members(first < 0xde ? length : length * 2, depth);
  }

  /** Each member takes a byte at least, so a length beyond the body is a lie. */
  #members(count: number, depth: number): void {
    if (count > this.#bytes.length - this.#at) throw unreadable('it ends too early');
    if (depth >= limits.bodyDepthMax) throw tooDeep();
    for (let member = 0; member < count; member += 1) this.value(depth + 1);
  }

  #extension(first: number): void {
    const fixed = fixedExtensionBytes[first];
    const isLong = first === 0xc7 || first === 0xc8 || first === 0xc9;
    if (fixed === undefined && !isLong) throw unreadable('it ends too early, or is none');
    const length = fixed ?? this.#number(2 ** (first - 0xc7));
    const type = this.#number(1);
    const isKnown =
      (type === extensions.undefined && length === 1) ||
      (type === extensions.timestamp && (length === 4 || length === 8 || length === 12));
    if (!isKnown) throw unreadable(`extension ${type} of ${length} bytes is not taken`);
    this.#skip(length);
  }

  #number(width: number): number {
    let value = 0;
    for (let count = 0; count < width; count += 1)
      value = value * 256 + (this.#bytes[this.#at + count] ?? 0);
    this.#skip(width);
    return value;
  }

  #skip(bytes: number): void {
    this.#at += bytes;
    if (this.#at > this.#bytes.length) throw unreadable('it ends too early');
  }
}

/**
 * Lets a MessagePack body through that has few enough values, is not too deep, and has no
 * extension but timestamps and msgpackr's `undefined`. In particular no shared references, which
 * make a few hundred bytes mean more values than there are atoms.
 * @throws TidemarkError INVALID_MESSAGE, TOO_LARGE
 */
export function scanMessagePack(bytes: Uint8Array, valuesMax: number = limits.bodyValuesMax): void {
  new MessagePackScan(bytes, valuesMax).value(0);
}

const [quote, backslash, comma] = [0x22, 0x5c, 0x2c] as const;
const [openBracket, closeBracket, openBrace, closeBrace] = [0x5b, 0x5d, 0x7b, 0x7d] as const;

/**
 * The same for JSON: counts commas and brackets outside of strings. Whether it is JSON at all is
 * for the parser to say.
 * @throws TidemarkError INVALID_MESSAGE, TOO_LARGE
 */
export function scanJson(bytes: Uint8Array, valuesMax: number = limits.bodyValuesMax): void {
  let [values, depth] = [1, 0];
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at] as number;
    if (byte === quote) at = endOfString(bytes, at);
    else if (byte === comma) values += 1;
    else if (byte === openBracket || byte === openBrace) {
      values += 1;
      depth += 1;
      if (depth > limits.bodyDepthMax) throw tooDeep();
    } else if (byte === closeBracket || byte === closeBrace) depth -= 1;
    if (values > valuesMax) throw tooMany(valuesMax);
  }
}

/** Where the string that begins at `from` has its closing quote. */
function endOfString(bytes: Uint8Array, from: number): number {
  let at = bytes.indexOf(quote, from + 1);
  while (at !== -1) {
    let slashes = 0;
    while (bytes[at - 1 - slashes] === backslash) slashes += 1;
    if (slashes % 2 === 0) return at;
    at = bytes.indexOf(quote, at + 1);
  }
  return bytes.length;
}
