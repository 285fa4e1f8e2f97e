/** Cuts a body that no message can carry into chunk messages. */
import { type ChunkBody, splitIntoChunks } from '../../contracts/chunks.ts';
import { limits } from '../../contracts/limits.ts';
import { lastToken } from '../../contracts/subjects.ts';
import { newUuid } from '../clock.ts';

/**
 * The chunk messages of a body that was meant for `subject`, in order. A piece is not zipped again:
 * it would only grow.
 */
export function chunksOf(
  subject: string,
  body: Uint8Array,
  headers: Record<string, string>,
  payloadBytesMax: number,
): ChunkBody[] {
  const pieces = splitIntoChunks(body, payloadBytesMax - limits.chunkOverheadBytes);
  const whole = {
    Transfer: newUuid(),
    Count: pieces.length,
    Action: lastToken(subject),
    ContentType: headers['Content-Type'] ?? '',
    ContentEncoding: headers['Content-Encoding'] ?? '',
  };
  return pieces.map((Data, Index) => ({ ...whole, Index, Data }));
}
