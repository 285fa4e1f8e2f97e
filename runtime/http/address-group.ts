/**
 * Groups addresses that belong to one sender: an IPv4 address in any notation, or the /64 network
 * that a subscriber has in IPv6.
 */
import { isIP } from 'node:net';

export function addressGroup(remote: string): string {
  const mapped = /^::ffff:([\d.]+)$/i.exec(remote)?.[1];
  if (mapped !== undefined || isIP(remote) !== 6) return mapped ?? remote;
  const [head = ''] = remote.split('::');
  return `${head.split(':').slice(0, 4).join(':')}::/64`;
}
