/**
 * What is in a file, as a digest; read again only when the file may be another one, for status and
 * health ask for it at every call.
 */
import { createHash } from 'node:crypto';
import { type BigIntStats, readFileSync, statSync } from 'node:fs';
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import { systemClock } from '../../runtime/clock.ts';

type Seen = { facts: string; sha256: string };

const seen = new Map<string, Seen>();

/** @throws TidemarkError INVALID_MESSAGE for what cannot be read or is too long */
export function digestOf(path: string): string {
  try {
    const stat = statSync(path, { bigint: true });
    const facts = factsOf(stat);
    const known = seen.get(path);
    if (known?.facts === facts) return known.sha256;
    const sha256 = digestOfContent(path);
    if (isSettled(stat)) remember(path, { facts, sha256 });
    return sha256;
  } catch (cause) {
    if (cause instanceof TidemarkError) throw cause;
    throw new TidemarkError('INVALID_MESSAGE', `cannot read an operation: ${messageOf(cause)}`, {
      cause,
    });
  }
}

function digestOfContent(path: string): string {
  const content = readFileSync(path);
  if (content.length > limits.operationFileBytesMax)
    throw new TidemarkError(
      'INVALID_MESSAGE',
      `${path} has ${content.length} bytes; at most ${limits.operationFileBytesMax} are allowed`,
    );
  return createHash('sha256').update(content).digest('hex');
}

/** No edit leaves all of it: whoever sets the time of a change back changes that of the entry. */
function factsOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
}

/** A file that changes twice within one tick of its clock looks as if it had once. */
function isSettled({ ctimeMs }: BigIntStats): boolean {
  const ageMs = systemClock.nowMs() - Number(ctimeMs);
  return ageMs > limits.fileTimeTickMs;
}

function remember(path: string, one: Seen): void {
  if (seen.size >= limits.operationFilesKept) seen.clear();
  seen.set(path, one);
}
