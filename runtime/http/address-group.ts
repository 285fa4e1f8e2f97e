/**
 * Who counts as one sender: an IPv4 address, however it is written, and the 64 bits of an IPv6
 * network that one subscriber has.
 */
import { isIP } from 'node:net';

export function addressGroup(remote: string): string {
  const mapped = /^::ffff:([\d.]+)$/i.exec(remote)?.[1];
  if (mapped !== undefined || isIP(remote) !== 6) return mapped ?? remote;
  const [head = ''] = remote.split('::');
  return `${head.split(':').slice(0, 4).join(':')}::/64`;
}
