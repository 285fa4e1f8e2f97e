/**
 * The first step of a worker: opens its local state, now or as soon as that is possible, and keeps
 * the problems found with it.
 */
import { systemClock } from '../../../runtime/clock.ts';
import {
  decodeAddress,
  type HttpAddress,
  type HttpSettings,
} from '../../../runtime/http/http-access.ts';
import type { Log } from '../../../runtime/log.ts';
import { withToken } from '../../../runtime/http/token.ts';
import { openWhenPossible } from './frozen.ts';
import { type Local, openLocal } from '../../journal/local.ts';
import { withReserve } from '../../state/guard/disk.ts';
import type { Finding } from '../../state/guard/finding.ts';
import { openStore } from '../../state/open/open-store.ts';
import { pathsOf } from '../../state/paths.ts';

export type OpeningSettings = {
  hub: string;
  /** Data directory. */
  data: string;
  /** host:port of the operators' HTTP; port 0 takes a free one. */
  http: string;
  /**
   * The operator's own token; without a token that may operate, one is created in the data
   * directory.
   */
  token: string | null;
  access: HttpSettings;
  isAnyFileSystem: boolean;
};

export type Opened = { local: Local; findings: Finding[]; http: HttpAddress; access: HttpSettings };

/**
 * Null when stopped before.
 * @throws TidemarkError for what waiting cannot fix
 */
export async function openAsSoonAsPossible(
  config: OpeningSettings,
  log: Log,
  signal: AbortSignal,
): Promise<Opened | null> {
  const { token, access } = config;
  const http = decodeAddress(config.http, token !== null || access.tokens.length > 0);
  const findings: Finding[] = [];
  const tell = (finding: Finding) => {
    log.error({ class: finding.Class, detail: finding.Detail }, finding.What);
    findings.push(finding);
  };
  const { data, isAnyFileSystem } = config;
  const open = () =>
    openLocal(
      withReserve(pathsOf(data), () => openStore(data, tell, { isAnyFileSystem })),
      config.hub,
    );
  const local = await openWhenPossible(open, {
    http,
    access: token === null ? access : withToken(access, token, data),
    clock: systemClock,
    log,
    signal,
  });
  return local && { local, findings, http, access: withToken(access, token, data) };
}
