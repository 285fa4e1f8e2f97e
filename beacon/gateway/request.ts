/**
 * The body of a capability request: its Settings, its user, and how long its sender waits for an
 * answer.
 */
import { capabilities } from '../../contracts/capability.ts';
import { defaultRemoteUser } from '../../contracts/envelope.ts';
import { isJsonObject, toJsonValue } from '../../contracts/body/json-value.ts';
import { limits } from '../../contracts/limits.ts';
import type { AuditNote } from './audit.ts';
import { refuse, type Settings } from '../settings.ts';

/** What an action gets besides its Settings. Each call of `audit` adds a line to the audit. */
export type RequestContext = {
  remoteUser: string;
  /** The hub of the request, which may read and write only its own rows; null for an operator. */
  hub: string | null;
  timeoutMs: number;
  /** Most bytes of the answer. */
  roomBytes: number;
  audit(note: AuditNote): void;
};

/** The user the request names. */
export function userOf(body: Readonly<Record<string, unknown>>): string {
  const { RemoteUser: user } = body;
  return typeof user === 'string' && user !== '' ? user : defaultRemoteUser;
}

/**
 * @param notes collects the action's notes for the audit
 * @throws TidemarkError INVALID_MESSAGE
 */
export function decodeRequest(
  body: unknown,
  { hub, roomBytes }: Pick<RequestContext, 'hub' | 'roomBytes'>,
  notes: AuditNote[],
): { settings: Settings; context: RequestContext } {
  if (!isJsonObject(body)) throw refuse('body', 'an object with Settings', body);
  // Values that JSON cannot express would fail halfway through the work.
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

/** Why a capability is refused. */
export function whyNotOffered(capability: string): string {
  return capability === capabilities.batch
    ? 'switched off on this beacon; use MeadowProxy.Request'
    : 'not offered by this beacon';
}
