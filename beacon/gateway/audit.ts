/**
 * The audit trail: every request leaves a line, kept in memory for a moment, so that it costs a
 * request nothing.
 */
import { messageOf } from '../../contracts/errors.ts';
import { isJsonObject } from '../../contracts/body/json-value.ts';
import { limits } from '../../contracts/limits.ts';
import { type Clock, isoOf } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import { bounds } from '../bounds.ts';
import type { AuditLine, BeaconState } from '../databases/state.ts';

/**
 * What an action knows of its request beyond what everybody can see. Several notes of one request
 * are a line each.
 */
export type AuditNote = {
  user?: string;
  connection?: number;
  table?: string;
  outcome?: string;
  count?: number;
  detail?: string;
};

/** Where lines are kept. */
export type AuditStore = Pick<BeaconState, 'addAudit' | 'trimAudit'>;

export class AuditTrail {
  readonly #store: AuditStore;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #stopTrimming: () => void;
  #lines: AuditLine[] = [];
  #lost = 0;
  #cancel: (() => void) | null = null;
  #isStopped = false;
  #isRefused = false;

  constructor(store: AuditStore, clock: Clock, log: Log) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
    this.#stopTrimming = clock.every(bounds.auditTrimMs, () => this.#trim());
  }

  /** Written soon. Never throws. */
  add(line: Omit<AuditLine, 'at'>): void {
    if (this.#isStopped) return;
    this.#lines.push({ ...line, ...cutTexts(line), at: isoOf(this.#clock.nowMs()) });
    if (this.#lines.length < bounds.auditLinesMax)
      this.#cancel ??= this.#clock.timer(bounds.auditFlushMs, () => this.flush());
    else if (!this.#isRefused) this.flush();
    if (this.#lines.length > bounds.auditLinesMax) {
      this.#lines.shift();
      this.#lost += 1;
    }
  }

  /**
   * Writes what waits. What the disk refuses waits on, up to a bound; what is lost beyond it is
   * said in the next line that is written.
   */
  flush(): void {
    this.#cancel?.();
    this.#cancel = null;
    if (this.#lines.length === 0) return;
    try {
      this.#store.addAudit(this.#lost > 0 ? [...this.#lines, this.#lostLine()] : this.#lines);
      this.#lines = [];
      this.#lost = 0;
      this.#isRefused = false;
    } catch (error) {
      this.#log.warn(
        { reason: messageOf(error), waiting: this.#lines.length, lost: this.#lost },
        'audit not written',
      );
      this.#isRefused = true;
      if (!this.#isStopped)
        this.#cancel = this.#clock.timer(bounds.auditFlushMs, () => this.flush());
    }
    this.#trim();
  }

  #lostLine(): AuditLine {
    const at = isoOf(this.#clock.nowMs());
    return {
      at,
      remoteUser: '',
      capability: 'Audit',
      action: 'Lost',
      connection: 0,
      table: '',
      outcome: 'lost',
      count: this.#lost,
      detail: 'the disk refused them',
    };
  }

  /** A step at a time: at most as many go as may have come. */
  #trim(): void {
    try {
      this.#store.trimAudit(isoOf(this.#clock.nowMs() - bounds.auditKeptMs));
    } catch (error) {
      this.#log.warn({ reason: messageOf(error) }, 'audit not trimmed');
    }
  }

  /** Writes what waits, and takes no more. */
  stop(): void {
    this.#isStopped = true;
    this.#stopTrimming();
    this.flush();
  }
}

/** What a sender may have made long. */
function cutTexts({
  remoteUser,
  action,
  table,
  detail,
}: Omit<AuditLine, 'at'>): Pick<AuditLine, 'remoteUser' | 'action' | 'table' | 'detail'> {
  return {
    remoteUser: remoteUser.slice(0, limits.remoteUserCharsMax),
    action: action.slice(0, limits.remoteUserCharsMax),
    table: table.slice(0, limits.remoteUserCharsMax),
    detail: detail.slice(0, bounds.auditDetailCharsMax),
  };
}

/** The connection and the table a request names, whatever else is wrong with it. */
export function subjectOf(settings: unknown): { connection: number; table: string } {
  if (!isJsonObject(settings)) return { connection: 0, table: '' };
  const {
    IDBeaconConnection: id,
    TableName: name,
    AggregateSpec: aggregate,
    JoinSpec: join,
  } = settings;
  const table =
    name ??
    (isJsonObject(aggregate) ? aggregate['Table'] : isJsonObject(join) ? join['Table'] : '');
  return {
    connection: typeof id === 'number' && Number.isSafeInteger(id) ? id : 0,
    table: typeof table === 'string' ? table : '',
  };
}

/** Rows an answer has, as far as it says. */
export function countOf(outputs: unknown): number {
  if (!isJsonObject(outputs)) return 0;
  const count = outputs['RowCount'] ?? outputs['Count'] ?? outputs['TableCount'];
  if (typeof count === 'number') return count;
  const list = outputs['Tables'] ?? outputs['Connections'];
  return Array.isArray(list) ? list.length : 0;
}
