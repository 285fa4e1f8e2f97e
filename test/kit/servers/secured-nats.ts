/**
 * A real nats-server with a configuration of the test's own: users, permissions, certificates; its
 * log tells whom it refused.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { freePort } from '../../../runtime/bus/nats-server.ts';
import { natsBinary } from './nats.ts';
import { type TempDir, tempDir } from '../temp-dir.ts';
import { until } from '../until.ts';

export class SecuredNats implements AsyncDisposable {
  readonly url: string;
  readonly dir: TempDir;
  readonly #child: ChildProcess;

  private constructor(url: string, dir: TempDir, child: ChildProcess) {
    this.url = url;
    this.dir = dir;
    this.#child = child;
  }

  /** `config` gets the folder for what it needs beside itself. */
  static async start(
    config: (dir: TempDir) => string | Promise<string>,
    scheme = 'nats',
  ): Promise<SecuredNats> {
    const dir = tempDir('secured-nats');
    const port = await freePort();
    writeFileSync(
      dir.at('nats.conf'),
      [
        `host: 127.0.0.1`,
        `port: ${port}`,
        `log_file: ${JSON.stringify(dir.at('nats.log'))}`,
        await config(dir),
      ].join('\n'),
    );
    const child = spawn(natsBinary(), ['-c', dir.at('nats.conf')], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    const nats = new SecuredNats(`${scheme}://127.0.0.1:${port}`, dir, child);
    try {
      await until(
        'the server is ready',
        () => nats.log.includes('Server is ready') || child.exitCode !== null,
      );
      if (child.exitCode !== null) throw new Error(`exit ${child.exitCode}`);
      return nats;
    } catch (error) {
      const { log } = nats;
      await nats[Symbol.asyncDispose]();
      throw new Error(`nats-server did not start: ${said}${log}`, { cause: error });
    }
  }

  get log(): string {
    const path = this.dir.at('nats.log');
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const gone = new Promise((resolve) => {
      this.#child.once('exit', resolve);
    });
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill('SIGKILL');
      await gone;
    }
    this.dir[Symbol.dispose]();
  }
}
