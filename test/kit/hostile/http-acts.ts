/**
 * What a stranger sends to an HTTP server in one step: a route of the API or one much like it, with
 * headers of a web page or of none, whole, in halves, or never ended.
 */
import { Buffer } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Dice } from '../simulator/dice.ts';
import { encoded } from './encodings.ts';
import { docOf, guid, mutated, objectNames, strange } from './shapes.ts';

/** `viewer` has a token that may look; the other two have none. */
export type HttpRole = 'loopback' | 'page' | 'viewer';
export const httpTargets = ['worker', 'db-1', 'up'] as const;
export type HttpTarget = (typeof httpTargets)[number];
export type HttpAct = {
  role: HttpRole;
  target: HttpTarget;
  /** Each on a connection of its own; those that are not ended are left open for a while. */
  requests: { bytes: Uint8Array; isEnded: boolean }[];
};

const openapiPath = join(import.meta.dirname, '../../../docs/openapi.json');
const { paths } = JSON.parse(readFileSync(openapiPath, 'utf8')) as {
  paths: Record<string, Record<string, unknown>>;
};
const routes = Object.entries(paths).flatMap(([path, methods]) =>
  Object.keys(methods).map((method) => ({ path, method: method.toUpperCase() })),
);
const beaconRoutes = [
  { path: '/1.0/db-1/UVQueueWorkItems/0/10', method: 'GET' },
  { path: '/1.0/db-1/UVQueueWorkItem', method: 'POST' },
  { path: '/1.0/db-1/UVQueueWorkItem?/Schema/Validate', method: 'POST' },
  { path: '/1.0/db-1/UVQueueWorkItem/Schema', method: 'GET' },
  { path: '/1.0/db-1/UVQueueWorkItem/1', method: 'DELETE' },
];

/** `token` is the viewer's, the only one a stranger may know. */
export function httpAct(dice: Dice, token: string): HttpAct {
  const role = dice.pick<HttpRole>(['loopback', 'page', 'viewer']);
  const target = dice.pick(httpTargets);
  const kind = dice.weighted({ one: 12, some: 4, held: 1, flood: 1 });
  const count = { one: 1, some: 2 + dice.below(6), held: 40, flood: 80 }[kind];
  const first = requestOf(dice, role, target, token);
  const requests = Array.from({ length: count }, (_, at) => {
    const bytes = at === 0 || kind === 'flood' ? first : requestOf(dice, role, target, token);
    const isWhole = kind !== 'held' && !dice.chance(0.06);
    const sent = isWhole ? bytes : bytes.subarray(0, dice.below(bytes.length));
    return { bytes: sent, isEnded: isWhole };
  });
  return { role, target, requests };
}

function requestOf(dice: Dice, role: HttpRole, target: HttpTarget, token: string): Uint8Array {
  const all = target === 'db-1' ? [...beaconRoutes, ...routes.slice(0, 6)] : routes;
  const route = dice.pick(all);
  const isOdd = dice.chance(0.1);
  const method = isOdd ? dice.pick(['PUT', 'DELETE', 'OPTIONS', 'TRACE', 'post']) : route.method;
  const { bytes, headers } = bodyOf(dice, method);
  const length = dice.weighted({ right: 12, none: 1, lying: 1, both: 1 });
  const lines = [
    `${method} ${pathOf(dice, route.path)} HTTP/1.1`,
    `Host: ${dice.chance(0.9) ? '127.0.0.1' : dice.pick(['evil.example', '', 'a'.repeat(3_000)])}`,
    ...(dice.chance(0.7) ? ['Connection: close'] : []),
    ...originOf(dice, role),
    ...loginOf(dice, role, token),
    ...headers.map(([name, value]) => `${name}: ${value}`),
    ...(length === 'right' || length === 'both' ? [`Content-Length: ${bytes.length}`] : []),
    ...(length === 'lying' ? [`Content-Length: ${dice.pick([0, 1e9, 2 ** 53, -1])}`] : []),
    ...(length === 'both' ? ['Transfer-Encoding: chunked'] : []),
  ];
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), bytes]);
}

function bodyOf(dice: Dice, method: string): ReturnType<typeof encoded> {
  if (method === 'GET') return { bytes: new Uint8Array(), headers: [] };
  const body = docOf({
    BeaconID: dice.pick<unknown>(['db-1', 'db-3', null, '__proto__']),
    IDBeaconConnection: dice.pick<unknown>([1, 2, -1, 'x']),
    Where: docOf(),
    HubID: 'hub2',
    WorkItemHash: `stranger-${dice.below(9)}`,
  });
  return encoded(dice, dice.chance(0.5) ? body : mutated(dice, body));
}

/** The path's parameters filled, and at times the path bent. Only what a request line can hold. */
function pathOf(dice: Dice, path: string): string {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) =>
    name === 'guid'
      ? guid(dice)
      : dice.pick(['db-1', '1', 'pause', 'app.js', ...objectNames, '..%2f..%2fetc', '%00', '%']),
  );
  const query = dice.chance(0.3)
    ? `?${dice.pick(['Limit', 'After', 'Where', 'key', 'lane', '__proto__'])}=${queryText(dice)}`
    : '';
  const bent = dice.weighted({ straight: 12, doubled: 1, up: 1, coded: 1, long: 1, absolute: 1 });
  const result = {
    straight: filled,
    doubled: `/${filled}`,
    up: `/console/..${filled}`,
    coded: filled.replace('api', '%61pi'),
    long: `${filled}/${'a'.repeat(5_000)}`,
    absolute: `http://127.0.0.1${filled}`,
  }[bent];
  return `${result}${query}`;
}

function queryText(dice: Dice): string {
  const value = dice.pick<unknown>([strange(dice), 'queue', 5_000]);
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
  return encodeURIComponent(text.slice(0, 2_000).toWellFormed());
}

function originOf(dice: Dice, role: HttpRole): string[] {
  if (role !== 'page') return [];
  return dice.pick([
    ['Origin: https://evil.example', 'Sec-Fetch-Site: cross-site'],
    ['Origin: null'],
    ['Sec-Fetch-Site: same-site', 'Sec-Fetch-Mode: no-cors'],
    ['Origin: http://127.0.0.1.evil.example'],
  ]);
}

function loginOf(dice: Dice, role: HttpRole, token: string): string[] {
  const claims = dice.chance(0.15) ? ['X-Beacon-User: root', 'X-Forwarded-For: 10.0.0.1'] : [];
  if (role === 'viewer') return [`Authorization: Bearer ${token}`, ...claims];
  if (dice.chance(0.7)) return claims;
  const wrong = ['Bearer wrong', 'Basic cm9vdDpyb290', 'Bearer', `Bearer ${'x'.repeat(9_000)}`];
  return [`Authorization: ${dice.pick(wrong)}`, ...claims];
}

/** How long answers are waited for, and how long half-sent requests are left lying. */
const answerMs = 400;
const heldMs = 1_500;

/** Sends it; resolves soon, with what was answered until then. */
export async function sendHttp(port: number, { requests }: HttpAct): Promise<string[]> {
  return Promise.all(requests.map((one) => sendOne(port, one)));
}

function sendOne(port: number, { bytes, isEnded }: HttpAct['requests'][number]): Promise<string> {
  return new Promise((resolve) => {
    let said = '';
    const socket: Socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    const close = () => socket.destroy();
    const timer = setTimeout(() => {
      resolve(said);
      if (isEnded) close();
      else setTimeout(close, heldMs).unref();
    }, answerMs);
    timer.unref();
    if (!isEnded) setTimeout(() => resolve(said), 20);
    socket.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    socket.on('error', () => undefined);
    socket.once('close', () => {
      clearTimeout(timer);
      resolve(said);
    });
  });
}
