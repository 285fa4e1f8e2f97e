/**
 * Tells the service manager (systemd) how the process is, over `$NOTIFY_SOCKET`: ready, status,
 * alive, stopping. Says nothing where there is none.
 */
import { spawn } from 'node:child_process';
import { messageOf } from '../contracts/errors.ts';
import { limits } from '../contracts/limits.ts';
import type { Clock } from './clock.ts';
import type { Log } from './log.ts';

/**
 * Where the service manager listens, how often it wants to hear that we are alive, the folders its
 * tool is looked for in, and the stream its journal is fed from.
 */
export type ServiceManagerPlace = {
  socket: string;
  watchdogMs: number | null;
  path: string;
  journal: string | null;
};

/** What the service manager put into the environment; null when nobody did. */
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
 * The socket takes datagrams, which Node cannot send to a path: systemd's own tool sends them, one
 * short child a message (docs/adr/0016-systemd-notify.md).
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
   * Ready, and from now on alive as long as `look` says how things are: it is asked three times in
   * the time the service manager gives.
   * @param look one line; null when the process cannot do its work, and nothing is told then
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
    // The one before is still under way: another would say no more.
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
          // Without the tool nothing can be told, and a unit of Type=notify will not come up:
          // better said once than every few seconds.
          this.#hasFailed ||= (error as NodeJS.ErrnoException).code === 'ENOENT';
          this.#log.warn(
            { reason: messageOf(error) },
            'the service manager could not be told how the process is; is systemd-notify installed?',
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
