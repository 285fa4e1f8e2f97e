/**
 * A path of a table endpoint in its parts, the same for whoever asks: what may be called, whether
 * it reads, and what answers it.
 */

/** Still percent-encoded; `rest` is what stands behind the table. */
export type EndpointPath = { version: string; routeHash: string; segment: string; rest: string[] };

/** What stands behind the question mark is no part of it. */
export function endpointPath(path: string): EndpointPath {
  const [, version = '', routeHash = '', segment = '', ...rest] = (
    path.startsWith('/') ? path : `/${path}`
  )
    .replace(/\?.*$/s, '')
    .replace(/\/$/, '')
    .split('/');
  return { version, routeHash, segment, rest };
}

/** So often an escape may hide another one. */
const layers = 3;

/**
 * The words another server could see in a path: with every escape resolved, and cut wherever some
 * server cuts.
 */
export function wordsSeen(path: string): string[] {
  let text = path.replace(/\?.*$/s, '');
  for (let n = 0; n < layers; n += 1)
    text = text.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
  return text.split(/[/\\;?#]+/).filter((word) => word !== '' && word !== '.');
}

/** Nothing in it that one server reads otherwise than another. */
export function isPlain(path: string): boolean {
  const plain = path.replace(/\?.*$/s, '');
  return /^[\w./-]*$/.test(plain) && !plain.includes('//');
}
