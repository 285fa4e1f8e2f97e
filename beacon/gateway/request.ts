/**
 * The body of a capability request: its Settings, who asks, and how long the answer is waited for.
 */
import { capabilities } from '../../contracts/capability.ts';
import { defaultRemoteUser } from '../../contracts/envelope.ts';
import { isJsonObject, toJsonValue } from '../../contracts/body/json-value.ts';
import { limits } from '../../contracts/limits.ts';
import type { AuditNote } from './audit.ts';
import { refuse, type Settings } from '../settings.ts';

/**
 * What an action is told beside its Settings. `audit` says more than everybody can see; each time
 * it is a line of its own.
 */
export type RequestContext = {
  remoteUser: string;
  /** The hub it is asked for: only its rows are to be seen and written; null for an operator. */
  hub: string | null;
  timeoutMs: number;
  /** Bytes the answer may have. */
  roomBytes: number;
  audit(note: AuditNote): void;
};

/** Who asks, as far as it is said. */
export function userOf(body: Readonly<Record<string, unknown>>): string {
  const { RemoteUser: user } = body;
  return typeof user === 'string' && user !== '' ? user : defaultRemoteUser;
}

/** @param notes takes what the action tells the audit @throws TidemarkError INVALID_MESSAGE */
export function decodeRequest(
  body: unknown,
  { hub, roomBytes }: Pick<RequestContext, 'hub' | 'roomBytes'>,
  notes: AuditNote[],
): { settings: Settings; context: RequestContext } {
  if (!isJsonObject(body)) throw refuse('body', 'an object with Settings', body);
  // What no JSON has would fail in the middle of the work.
  const settings = toJsonValue(body['Settings'] ?? {}, 'Settings');
  if (!isJsonObject(settings)) throw refuse('Settings', 'an object', settings);
  const { TimeoutMs: timeoutMs = limits.capabilityMs } = body;
  if (typeof timeoutMs !== 'number' || !(timeoutMs >= 1))
    throw refuse('TimeoutMs', 'milliseconds of at least 1', timeoutMs);
  const context: RequestContext = {
    remoteUser: userOf(body),
    hub,
    timeoutMs: Math.min(timeoutMs, limits.bootstrapStepMs),
    roomBytes,
    audit: (note) => void notes.push(note),
  };
  return { settings, context };
}

/** Why a capability is not answered. */
export function whyNotOffered(capability: string): string {
  return capability === capabilities.batch
    ? 'switched off on this beacon; use MeadowProxy.Request'
    : 'not offered by this beacon';
}
