/**
 * What the private database servers of the tests have in common: binaries found or installed, data
 * copied from a template, SIGKILL, the same port again.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { canInstall, installPackage } from '../../../runtime/debian-package.ts';
import { tempDir } from '../temp-dir.ts';
import { until } from '../until.ts';

/** A server that does not answer by then has a problem its log names. */
const startMs = 45_000;
const logCharsMax = 50_000;

/** `folders` are searched after PATH; `package` is the Debian package that brings the binary. */
export type Wanted = { binary: string; folders: () => string[]; package: string };

/**
 * Path of a server's binary, installed first where it lacks and can be.
 * @throws Error with a line on what to install
 */
export function findServer({ binary, folders, package: name }: Wanted): string {
  const find = () =>
    [...(process.env['PATH'] ?? '').split(delimiter), ...folders()]
      .map((folder) => join(folder, binary))
      .find((path) => existsSync(path));
  const found = find();
  if (found) return found;
  const howTo = `these tests need a real ${binary}: apt-get install ${name}, or put the one you have on PATH`;
  if (!canInstall()) throw new Error(howTo);
  installPackage(name, (line) => void process.stderr.write(`${line}\n`));
  const installed = find();
  if (installed) return installed;
  throw new Error(`apt-get could not install ${name}; ${howTo}`);
}

/** Who the server runs as: itself for everybody but root, which databases refuse. */
export type ServerUser = { uid: number; gid: number } | null;

/** The first of these users there is. @throws Error when root finds none */
export function serverUser(...names: string[]): ServerUser {
  if (process.getuid?.() !== 0) return null;
  for (const name of [...names, 'nobody']) {
    const [uid, gid] = ['-u', '-g'].map((which) =>
      Number.parseInt(spawnSync('id', [which, name], { encoding: 'utf8' }).stdout, 10),
    );
    if (uid && gid) return { uid, gid };
  }
  throw new Error(
    `a database server does not run as root, and there is no user ${names.join(', ')} or nobody`,
  );
}

/** A temporary folder another user can get into: every folder above lets others through. */
function openTmp(): string {
  const isOpen = (path: string): boolean =>
    (statSync(path).mode & 0o001) !== 0 && (dirname(path) === path || isOpen(dirname(path)));
  return (
    [tmpdir(), '/var/tmp', '/tmp'].find((path) => existsSync(path) && isOpen(path)) ?? tmpdir()
  );
}

/**
 * Folder for the templates of one test run, made and removed by the global setup; its path goes to
 * every test in the environment.
 */
const templatesVariable = 'TIDEMARK_TEST_TEMPLATES';

/** Makes it, and removes what runs that were killed have left. @returns what removes it */
export function openTemplates(): () => void {
  const tmp = openTmp();
  for (const name of readdirSync(tmp)) {
    const pid = /^tidemark-(?:templates|postgres|mariadb)-(\d+)-/.exec(name)?.[1];
    if (pid !== undefined && !isAlive(Number(pid)))
      rmSync(join(tmp, name), { recursive: true, force: true });
  }
  const folder = tempDir(`templates-${process.pid}`, tmp);
  chmodSync(folder.path, 0o755);
  process.env[templatesVariable] = folder.path;
  return () => folder[Symbol.dispose]();
}

type Paths = ReturnType<typeof tempDir>;

/** What differs between servers. Commands are words; the first is the binary. */
export type ServerPlan = {
  name: string;
  user: ServerUser;
  /** Makes an empty database in a folder. */
  init: (data: string) => string[];
  run: (data: string, port: number) => string[];
  /** Resolves once it answers. */
  ask: () => Promise<unknown>;
};

/** One private server with its own data, owned by the test that started it. */
export class DatabaseServer {
  readonly port: number;
  readonly #plan: ServerPlan;
  readonly #folder: Paths;
  #child: ChildProcess | null = null;
  #exited: Promise<string> = Promise.resolve('never started');
  #log = '';

  constructor(port: number, plan: ServerPlan) {
    this.port = port;
    this.#plan = plan;
    this.#folder = tempDir(`${plan.name}-${process.pid}`, openTmp());
    if (plan.user) chownSync(this.#folder.path, plan.user.uid, plan.user.gid);
    copyTemplate(plan, this.#folder.at('data'));
  }

  /**
   * Starts it on the same port and data; does nothing while it runs.
   * @throws Error with the end of its log
   */
  async start(): Promise<void> {
    if (this.#child) return;
    const { name, user, run, ask } = this.#plan;
    const [file = '', ...args] = asUser(user, run(this.#folder.at('data'), this.port));
    const child = spawn(file, args, {
      cwd: this.#folder.path,
      env: quietEnv,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#log = (this.#log + text).slice(-logCharsMax);
      });
    }
    this.#child = child;
    this.#exited = new Promise((resolve) => {
      const end = (how: string) => {
        if (this.#child === child) this.#child = null;
        resolve(how);
      };
      child.once('exit', (code, signal) => end(signal ? `killed by ${signal}` : `exit ${code}`));
      child.once('error', (error) => end(error.message));
    });
    const ended = this.#exited.then((how) => {
      throw new Error(`${name} ended: ${how}\n${this.tail()}`);
    });
    ended.catch(() => undefined);
    await Promise.race([
      until(
        `${name} answers on port ${this.port}`,
        async () => {
          await ask();
          return true;
        },
        { deadlineMs: startMs, everyMs: 30 },
      ),
      ended,
    ]);
  }

  /** The last lines of its log. */
  tail(lines = 30): string {
    return this.#log.trimEnd().split('\n').slice(-lines).join('\n');
  }

  /** SIGKILL for it and its children, and waits until all are gone. */
  async kill(): Promise<void> {
    const { pid } = this.#child ?? {};
    const children = pid === undefined ? [] : childrenOf(pid);
    this.#child?.kill('SIGKILL');
    for (const child of children) killProcess(child);
    await this.#exited;
    await until(`the children of ${this.#plan.name} are gone`, () => !children.some(isAlive), {
      everyMs: 5,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    this.#folder[Symbol.dispose]();
  }
}

/** Nothing of this machine's language or settings reaches a server. */
const quietEnv = { PATH: process.env['PATH'] ?? '', LC_ALL: 'C.UTF-8' };
const setpriv = ['/usr/bin/setpriv', '/bin/setpriv'].find((path) => existsSync(path));

/** The kernel kills the server when this process dies, where `setpriv` can arrange it. */
function asUser(user: ServerUser, command: string[]): string[] {
  if (!setpriv) {
    if (user)
      throw new Error(
        'setpriv is not installed, and a database server does not run as root: apt-get install util-linux',
      );
    return command;
  }
  const who = user ? [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups'] : [];
  return [setpriv, ...who, '--pdeathsig', 'KILL', '--', ...command];
}

/** Children of a process; empty where the kernel does not tell. */
function childrenOf(pid: number): number[] {
  const list = `/proc/${pid}/task/${pid}/children`;
  return existsSync(list)
    ? readFileSync(list, 'utf8')
        .split(' ')
        .filter((word) => word.trim() !== '')
        .map(Number)
    : [];
}

function killProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone by itself, as all do whose parent is.
  }
}

/** One that only waits for its end to be read is as good as gone: it holds nothing. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return (
      !existsSync('/proc/self/status') ||
      !/^State:\s*[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
    );
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

function run(command: string[]): void {
  const [file = '', ...args] = command;
  const { status, stdout, stderr, error } = spawnSync(file, args, {
    env: quietEnv,
    cwd: '/',
    encoding: 'utf8',
  });
  if (status !== 0)
    throw new Error(
      `${command.join(' ')} ended with ${status ?? error?.message}\n${stdout}${stderr}`,
    );
}

/**
 * An empty database of this kind, made once per test run and copied; without a run's folder it is
 * made in place.
 */
function copyTemplate({ name, user, init }: ServerPlan, data: string): void {
  const folder = process.env[templatesVariable];
  if (folder === undefined) return run(asUser(user, init(data)));
  const template = join(folder, name);
  if (!existsSync(template)) {
    const parent = mkdtempSync(join(folder, 'making-'));
    if (user) chownSync(parent, user.uid, user.gid);
    run(asUser(user, init(join(parent, 'data'))));
    // Another test file may have been faster; an empty database is as good as another.
    if (!existsSync(template)) renameIfFirst(join(parent, 'data'), template);
    rmSync(parent, { recursive: true, force: true });
  }
  run(['cp', '-a', '--reflink=auto', template, data]);
}

function renameIfFirst(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (readdirSync(to).length === 0) throw error;
  }
}
