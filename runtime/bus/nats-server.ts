/**
 * A nats-server of our own: found or installed, started on loopback with JetStream, and stopped.
 * All its files are in one folder.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { delimiter, join, resolve } from 'node:path';
import { TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import { newUuid, systemClock } from '../clock.ts';
import { canInstall, installPackage, type Say } from '../debian-package.ts';

const loopback = '127.0.0.1';
/** A server that has not opened its port by then has failed; its log says why. */
const startMs = 15_000;
/** A listener that sends no greeting within this time is not a nats-server. */
const greetingMs = 2_000;
/** nats-server stops within a second; longer means it hangs. */
const stopMs = 5_000;
/** Size limit of the server's log file; one older file is kept. */
const logBytesMax = 16 * 1024 * 1024;
const usualFolders = ['/usr/sbin', '/usr/local/bin'];
const howToGet =
  'get it with your package manager or from https://nats.io/download, and name it in ' +
  'NATS_SERVER_BIN, or give the URL of a running one with --nats';

export type NatsServerOptions = {
  /** Folder for configuration, pid, log and streams; created when missing. */
  folder: string;
  port: number;
  /** Path of the nats-server binary. */
  binary: string;
};

/**
 * Finds nats-server: the given path, else in `path` or the usual folders, else (on Debian, as root)
 * installed with apt-get.
 * @throws TidemarkError CONFIG_INVALID, saying how to get one
 */
export function findNatsServer(named: string | undefined, path: string, say: Say): string {
  if (named !== undefined && named !== '') {
    if (isFile(named)) return named;
    throw new TidemarkError('CONFIG_INVALID', `NATS_SERVER_BIN: there is no file ${named}`);
  }
  const folders = [...path.split(delimiter).filter((folder) => folder !== ''), ...usualFolders];
  const find = () => folders.map((folder) => join(folder, 'nats-server')).find(isFile);
  const found = find();
  if (found) return found;
  if (!canInstall()) {
    throw new TidemarkError('CONFIG_INVALID', `nats-server is not installed; ${howToGet}`);
  }
  installPackage('nats-server', say);
  const installed = find();
  if (installed) return installed;
  throw new TidemarkError('CONFIG_INVALID', `apt-get could not install nats-server; ${howToGet}`);
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

export async function isFreePort(port: number): Promise<boolean> {
  return (await listenOnce(port)) !== null;
}

export async function freePort(): Promise<number> {
  const port = await listenOnce(0);
  if (port === null) throw new TidemarkError('UNREACHABLE', 'no free port on the loopback address');
  return port;
}

function listenOnce(port: number): Promise<number | null> {
  return new Promise((done) => {
    const server = createServer();
    server.once('error', () => done(null));
    server.listen(port, loopback, () => {
      const address = server.address();
      server.close(() => done(typeof address === 'object' && address ? address.port : null));
    });
  });
}

/**
 * A running nats-server child process. The kernel ends it with this process where `setpriv` exists;
 * otherwise the next start on its folder does.
 */
export class NatsServer {
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #pidFile: string;
  /** Resolves with how the process ended, as text. */
  readonly exited: Promise<string>;
  #isRunning = true;

  private constructor(child: ChildProcess, port: number, pidFile: string) {
    this.url = `nats://${loopback}:${port}`;
    this.#child = child;
    this.#pidFile = pidFile;
    this.exited = new Promise((done) => {
      const end = (how: string) => {
        this.#isRunning = false;
        done(how);
      };
      child.once('exit', (code, signal) => end(signal ? `killed by ${signal}` : `exit ${code}`));
      child.once('error', (error) => end(error.message));
    });
  }

  /**
   * Starts a server and waits until it accepts connections. A server left over on the same folder
   * is ended first.
   * @throws TidemarkError UNREACHABLE when it does not come up, with the last lines of its log
   */
  static async start(options: NatsServerOptions): Promise<NatsServer> {
    const folder = resolve(options.folder);
    mkdirSync(folder, { recursive: true });
    await endLeftOver(folder);
    const files = filesOf(folder);
    // The name in the greeting proves that our server answers, not another one on the port.
    const name = `tidemark-${newUuid()}`;
    writeFileSync(files.config, configText(folder, options.port, name));
    const child = spawnTied(options.binary, ['-c', files.config]);
    const server = new NatsServer(child, options.port, files.pid);
    if (await server.#opens(options.port, name)) return server;
    child.kill('SIGKILL');
    throw new TidemarkError(
      'UNREACHABLE',
      `nats-server did not open port ${options.port}: ${lastLines(files.log)}`,
    );
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }

  async #opens(port: number, name: string): Promise<boolean> {
    const giveUpMs = systemClock.monotonicMs() + startMs;
    while (this.#isRunning && systemClock.monotonicMs() < giveUpMs) {
      if ((await greeting(port)).includes(JSON.stringify(name))) return true;
      await systemClock.sleep(20);
    }
    return false;
  }

  /** Sends SIGTERM, then SIGKILL after a deadline. Calling it twice is harmless. */
  async stop(): Promise<void> {
    if (this.#isRunning) {
      this.#child.kill('SIGTERM');
      const cancel = systemClock.timer(stopMs, () => this.#child.kill('SIGKILL'));
      await this.exited;
      cancel();
    }
    rmSync(this.#pidFile, { force: true });
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

function filesOf(folder: string): { config: string; pid: string; log: string } {
  return {
    config: join(folder, 'nats-server.conf'),
    pid: join(folder, 'nats-server.pid'),
    log: join(folder, 'nats-server.log'),
  };
}

function configText(folder: string, port: number, name: string): string {
  const files = filesOf(folder);
  return [
    `host: ${loopback}`,
    `port: ${port}`,
    `server_name: ${name}`,
    `max_payload: ${limits.busPayloadBytesMax}`,
    `pid_file: ${JSON.stringify(files.pid)}`,
    `log_file: ${JSON.stringify(files.log)}`,
    `logfile_size_limit: ${logBytesMax}`,
    `jetstream { store_dir: ${JSON.stringify(join(folder, 'jetstream'))} }`,
    '',
  ].join('\n');
}

/**
 * Where `setpriv` exists, the kernel kills the child when this process dies; `setpriv` execs the
 * server, so the pid stays the same. Detached, because Ctrl-C must reach only us: we stop the bus
 * last.
 */
function spawnTied(binary: string, args: string[]): ChildProcess {
  const setpriv = ['/usr/bin/setpriv', '/bin/setpriv'].find(isFile);
  const options = { stdio: 'ignore', detached: true } as const;
  return setpriv
    ? spawn(setpriv, ['--pdeathsig', 'KILL', '--', binary, ...args], options)
    : spawn(binary, args, options);
}

/** The greeting of the server on this port; empty while there is none. */
function greeting(port: number): Promise<string> {
  return new Promise((done) => {
    const socket = createConnection({ port, host: loopback, timeout: greetingMs });
    socket.once('error', () => done(''));
    socket.once('close', () => done(''));
    socket.once('timeout', () => socket.destroy());
    socket.once('data', (said) => {
      socket.destroy();
      done(said.toString('latin1'));
    });
  });
}

function readPid(pidFile: string): number | null {
  if (!existsSync(pidFile)) return null;
  const pid = Number(readFileSync(pidFile, 'utf8').trim());
  return Number.isSafeInteger(pid) && pid > 1 ? pid : null;
}

/**
 * Ends the server that a killed process left on this folder. Its command line must name our
 * configuration, because pids are reused.
 */
export async function endLeftOver(folder: string): Promise<void> {
  const { pid: pidFile, config } = filesOf(resolve(folder));
  const pid = readPid(pidFile);
  if (pid !== null && commandOf(pid).includes(config))
    await endProcess(pid, () => commandOf(pid).includes(config));
  rmSync(pidFile, { force: true });
}

async function endProcess(pid: number, isThere: () => boolean): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    signalTo(pid, signal);
    const giveUpMs = systemClock.monotonicMs() + stopMs;
    while (isThere() && systemClock.monotonicMs() < giveUpMs) await systemClock.sleep(20);
    if (!isThere()) return;
  }
}

function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    // It is already gone, as wanted.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** The arguments of a running process; empty when there is no such process or no /proc. */
export function commandOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

function lastLines(logFile: string): string {
  if (!existsSync(logFile)) return 'it wrote no log';
  return readFileSync(logFile, 'utf8').trim().split('\n').slice(-2).join(' | ');
}
