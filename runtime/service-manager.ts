/**
 * Reports to the service manager (systemd) over `$NOTIFY_SOCKET`: ready, status, alive, stopping.
 * Does nothing where there is none.
 */
import { spawn } from 'node:child_process';
import { messageOf } from '../contracts/errors.ts';
import { limits } from '../contracts/limits.ts';
import type { Clock } from './clock.ts';
import type { Log } from './log.ts';

/**
 * The service manager's settings: its socket, its watchdog interval, where to look for its tool,
 * and the stream its journal reads from.
 */
export type ServiceManagerPlace = {
  socket: string;
  watchdogMs: number | null;
  path: string;
  journal: string | null;
};

/** Reads them from the environment; null without a service manager. */
export function serviceManagerPlace(environment: NodeJS.ProcessEnv): ServiceManagerPlace | null {
  const socket = environment['NOTIFY_SOCKET'];
  if (!socket) return null;
  const watchdogMs = Number(environment['WATCHDOG_USEC'] ?? 0) / 1_000;
  return {
    socket,
    watchdogMs: watchdogMs > 0 ? watchdogMs : null,
    path: environment['PATH'] ?? '',
    journal: environment['JOURNAL_STREAM'] ?? null,
  };
}

/**
 * The socket takes datagrams, and Node cannot send those to a path. So systemd's own tool sends
 * them, in one short-lived child process per message (docs/adr/0016-systemd-notify.md).
 */
export class ServiceManager {
  readonly #place: ServiceManagerPlace | null;
  readonly #clock: Clock;
  readonly #log: Log;
  #sending: Promise<void> = Promise.resolve();
  #isBusy = false;
  #hasFailed = false;
  #stopWatching: () => void = () => undefined;

  constructor(place: ServiceManagerPlace | null, clock: Clock, log: Log) {
    this.#place = place;
    this.#clock = clock;
    this.#log = log;
  }

  /** One line for `systemctl status`, before the process is ready. */
  status(text: string): void {
    this.#send([`STATUS=${text}`]);
  }

  /**
   * Reports that the process is ready, then that it is alive: `look` is called three times per
   * watchdog interval.
   * @param look one line of status; null when the process cannot work, and then nothing is reported
   */
  ready(look: () => string | null): void {
    this.#send(['READY=1', `STATUS=${look() ?? 'starting'}`]);
    if (this.#place)
      this.#stopWatching = this.#clock.every(
        (this.#place.watchdogMs ?? limits.notifyStatusMs) / 3,
        () => this.#tell(look),
      );
  }

  stopping(): void {
    this.#stopWatching();
    this.#send(['STOPPING=1', 'STATUS=finishing what was taken']);
  }

  #tell(look: () => string | null): void {
    // The last report is still being sent; another would add nothing.
    if (this.#isBusy) return;
    const text = look();
    if (text !== null) this.#send(['WATCHDOG=1', `STATUS=${text}`]);
  }

  #send(fields: string[]): void {
    if (this.#place === null) return;
    const { socket, path } = this.#place;
    this.#isBusy = true;
    this.#sending = this.#sending
      .then(() =>
        this.#hasFailed ? undefined : run(fields, { NOTIFY_SOCKET: socket, PATH: path }),
      )
      .then(
        () => {
          this.#isBusy = false;
        },
        (error: unknown) => {
          this.#isBusy = false;
          // Without the tool nothing can be reported, and a unit of Type=notify will not start.
          // Warn once, not every few seconds.
          this.#hasFailed ||= (error as NodeJS.ErrnoException).code === 'ENOENT';
          this.#log.warn(
            { reason: messageOf(error) },
            'the status could not be reported to the service manager; is systemd-notify installed?',
          );
        },
      );
  }
}

function run(fields: string[], env: Record<string, string>): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('systemd-notify', fields, {
      env,
      stdio: 'ignore',
      timeout: limits.notifyMs,
    });
    child.once('error', reject);
    child.once('exit', (code, signal) =>
      code === 0 ? resolve() : reject(new Error(`systemd-notify ended with ${signal ?? code}`)),
    );
  });
}
