/**
 * Splits the path of a table endpoint into parts. Every caller uses this: what checks the call,
 * what decides whether it reads, and what answers it.
 */

/** Still percent-encoded; `rest` are the parts after the table. */
export type EndpointPath = { version: string; routeHash: string; segment: string; rest: string[] };

/** The query string is ignored. */
export function endpointPath(path: string): EndpointPath {
  const [, version = '', routeHash = '', segment = '', ...rest] = (
    path.startsWith('/') ? path : `/${path}`
  )
    .replace(/\?.*$/s, '')
    .replace(/\/$/, '')
    .split('/');
  return { version, routeHash, segment, rest };
}

/** How often an escape may be escaped again. */
const layers = 3;

/**
 * All words that another server could see in a path: with every escape decoded, and split wherever
 * some server splits.
 */
export function wordsSeen(path: string): string[] {
  let text = path.replace(/\?.*$/s, '');
  for (let n = 0; n < layers; n += 1)
    text = text.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
  return text.split(/[/\\;?#]+/).filter((word) => word !== '' && word !== '.');
}

/** Whether every server reads the path the same way. */
export function isPlain(path: string): boolean {
  const plain = path.replace(/\?.*$/s, '');
  return /^[\w./-]*$/.test(plain) && !plain.includes('//');
}
