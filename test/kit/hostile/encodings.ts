/** How a value goes over the wire: in the ways the contract has, and in those it must refuse. */
import { Buffer } from 'node:buffer';
import { gzipSync } from 'node:zlib';
import type { Dice } from '../simulator/dice.ts';
import { extension, head, nested, packed, RawBytes, sharedReferences } from './message-pack.ts';

export type Encoded = { bytes: Uint8Array; headers: [name: string, value: string][] };

/** The largest body a step sends, before it is unzipped at the other end. */
const bodyBytesMax = 512 * 1024;

function jsonBytes(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value) ?? '');
}

const json: Encoded['headers'] = [['Content-Type', 'application/json']];
const pack: Encoded['headers'] = [['Content-Type', 'application/msgpack']];
const zipped: Encoded['headers'] = [['Content-Encoding', 'gzip']];

/** Bodies of millions of values in a few hundred kilobytes, each zipped when it is first wanted. */
const bombs: readonly (() => Buffer)[] = [
  () => Buffer.alloc(45_000_000, '[],').fill('[', 0, 1),
  () => Buffer.concat([head(0xdd, 45_000_000), Buffer.alloc(45_000_000, 0xc0)]),
  () => Buffer.alloc(100_000_000, 0x20),
  () => Buffer.concat([head(0xdd, 15_000_000), Buffer.alloc(15_000_000, 0x80)]),
];
const zippedBombs = new Map<number, Buffer>();

function bombAt(at: number): Buffer {
  const there = zippedBombs.get(at) ?? gzipSync(bombs[at]?.() ?? '', { level: 1 });
  zippedBombs.set(at, there);
  return there;
}

export function encoded(dice: Dice, value: unknown): Encoded {
  const way = dice.weighted({
    json: 8,
    packed: 6,
    zipped: 2,
    bare: 2,
    cut: 1,
    flipped: 2,
    wrongType: 1,
    extended: 2,
    lying: 1,
    deep: 1,
    bomb: 0.3,
    oddHeaders: 1,
  });
  const { bytes, headers } = inWay(dice, way, value);
  return { bytes: bytes.subarray(0, bodyBytesMax), headers };
}

function inWay(dice: Dice, way: string, value: unknown): Encoded {
  switch (way) {
    case 'packed':
      return { bytes: packed(value), headers: pack };
    case 'zipped':
      return { bytes: gzipSync(packed(value), { level: 1 }), headers: [...pack, ...zipped] };
    case 'bare':
      return { bytes: dice.chance(0.5) ? packed(value) : jsonBytes(value), headers: [] };
    case 'cut': {
      const bytes = packed(value);
      return { bytes: bytes.subarray(0, dice.below(bytes.length)), headers: pack };
    }
    case 'flipped':
      return flipped(dice, value);
    case 'wrongType':
      return { bytes: packed(value), headers: json };
    case 'extended':
      return { bytes: packed(wrapped(dice, value, strangeExtension(dice))), headers: pack };
    case 'lying': {
      const first = dice.pick([0xc6, 0xdb, 0xdd, 0xdf, 0xc9]);
      const length = dice.pick([0xffffffff, 0x7fffffff, 2_000_000, 100]);
      const lie = new RawBytes(head(first, length));
      return { bytes: packed(wrapped(dice, value, lie)), headers: pack };
    }
    case 'deep':
      return dice.chance(0.5)
        ? { bytes: packed(wrapped(dice, value, nested(2 ** (4 + dice.below(14))))), headers: pack }
        : { bytes: Buffer.from('['.repeat(2 ** (4 + dice.below(15)))), headers: json };
    case 'bomb':
      return {
        bytes: bombAt(dice.below(bombs.length)),
        headers: [...dice.pick([json, pack]), ...zipped],
      };
    case 'oddHeaders':
      return { bytes: jsonBytes(value), headers: [...json, ...oddHeaders(dice)] };
    default:
      return { bytes: jsonBytes(value), headers: json };
  }
}

function flipped(dice: Dice, value: unknown): Encoded {
  const bytes = Buffer.from(packed(value));
  for (let flips = 1 + dice.below(6); flips > 0 && bytes.length > 0; flips -= 1)
    bytes[dice.below(bytes.length)] = dice.below(256);
  return { bytes, headers: dice.pick([pack, []]) };
}

function strangeExtension(dice: Dice): RawBytes {
  const data = Buffer.from(Array.from({ length: dice.below(20) }, () => dice.below(256)));
  return dice.chance(0.6)
    ? sharedReferences(5 + dice.below(60))
    : extension(dice.pick([0x00, 0x65, 0x69, 0x70, 0x72, 0x73, 0x74, 0x78, 0x62, 0xff]), data);
}

/** Puts something into a value's members, or around it. */
function wrapped(dice: Dice, value: unknown, strange: RawBytes): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return strange;
  const names = Object.keys(value);
  if (names.length === 0 || dice.chance(0.2)) return strange;
  return { ...value, [dice.pick(names)]: strange };
}

function oddHeaders(dice: Dice): Encoded['headers'] {
  return dice.pick<Encoded['headers']>([
    [['Content-Type', 'text/plain; charset=\u00FF']],
    [['Content-Encoding', 'br']],
    [['Nats-Msg-Id', 'x'.repeat(4_000)]],
    [['traceparent', '00-ffffffffffffffffffffffffffffffff-ffffffffffffffff-01']],
    [['tracestate', `${'a=b,'.repeat(500)}z=1`]],
    Array.from({ length: 200 }, (_, n): [string, string] => [`X-${n}`, 'y'.repeat(50)]),
    [['Nats-Service-Error-Code', '200']],
    [['Accept-Encoding', 'gzip']],
  ]);
}
