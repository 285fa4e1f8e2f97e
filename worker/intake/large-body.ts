/**
 * Decodes and checks a large body in its thread, and brings each write into the form that the
 * journal keeps, so that the main thread need not parse it again.
 */
import { decodeBody } from '../../contracts/body/codec.ts';
import {
  actionOf,
  decodeBatch,
  decodeBatchItem,
  decodeEnvelope,
  type Envelope,
  type PackedWrite,
  type ReadEnvelope,
  type WriteEnvelope,
} from '../../contracts/envelope.ts';
import { type Refusal, TidemarkError, toRefusal } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import type { Lane } from '../../contracts/subjects.ts';
import { contentDigest } from '../state/entry-identity.ts';

/** A body as it arrived; `action` is '' when the body names it. */
export type LargeBody = {
  bytes: Uint8Array;
  contentType: string;
  contentEncoding: string;
  lane: Lane;
  action: string;
};

/** One request, the items of a batch, or the refusal of the whole body. */
export type LargeResult =
  | { kind: 'one'; envelope: PackedWrite | ReadEnvelope }
  | { kind: 'batch'; items: (PackedWrite | Refusal)[] }
  | { kind: 'refusal'; refusal: Refusal };

/** Never throws: an error becomes a refusal. */
export function decodeLarge(body: LargeBody): LargeResult {
  try {
    const { lane } = body;
    const headers = { 'content-type': body.contentType, 'content-encoding': body.contentEncoding };
    const value = decodeBody(body.bytes, {
      get: (name) => new Map(Object.entries(headers)).get(name.toLowerCase()) ?? '',
    });
    const action = body.action || actionOf(value);
    return action === 'batch'
      ? { kind: 'batch', items: decodeBatch(value).map((item, at) => itemOf(item, lane, at)) }
      : { kind: 'one', envelope: packed(decodeEnvelope(value, lane, action)) };
  } catch (error) {
    return { kind: 'refusal', refusal: toRefusal(error) };
  }
}

function itemOf(item: unknown, lane: Lane, at: number): PackedWrite | Refusal {
  try {
    return packedWrite(decodeBatchItem(item, lane, `Items[${at}]`));
  } catch (error) {
    return toRefusal(error);
  }
}

function packed(envelope: Envelope): PackedWrite | ReadEnvelope {
  if (envelope.kind === 'write') return packedWrite(envelope);
  const { length } = JSON.stringify(envelope.settings);
  if (length <= limits.readSettingsCharsMax) return envelope;
  throw new TidemarkError(
    'TOO_LARGE',
    `Settings: ${length} characters, at most ${limits.readSettingsCharsMax} to read by`,
  );
}

function packedWrite({ settings, ...envelope }: WriteEnvelope): PackedWrite {
  const digest = contentDigest(envelope.action, settings);
  const settingsText = JSON.stringify(settings);
  const bytes = Buffer.byteLength(settingsText);
  if (bytes > limits.bodyBytesMax)
    throw new TidemarkError(
      'TOO_LARGE',
      `Settings: ${bytes} bytes as JSON text, at most ${limits.bodyBytesMax}`,
    );
  return { ...envelope, settingsText, digest };
}
