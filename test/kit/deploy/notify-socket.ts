/**
 * A service manager's end of NOTIFY_SOCKET: keeps every line that is sent to it. Python receives,
 * as Node cannot open such a socket either.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { findServer } from '../servers/database-server.ts';
import { tempDir } from '../temp-dir.ts';
import { until } from '../until.ts';

const receiver = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("bound", flush=True)
while True:
    print(s.recv(65536).decode(), flush=True)
`;

export class NotifySocket implements AsyncDisposable {
  readonly path: string;
  /** `NAME=value` lines, oldest first. */
  readonly lines: string[] = [];
  readonly #folder = tempDir('notify');
  readonly #child: ChildProcess;

  private constructor() {
    findServer({
      binary: 'systemd-notify',
      folders: () => ['/usr/bin', '/bin'],
      package: 'systemd',
    });
    const python = findServer({
      binary: 'python3',
      folders: () => ['/usr/bin'],
      package: 'python3-minimal',
    });
    this.path = this.#folder.at('socket');
    this.#child = spawn(python, ['-c', receiver, this.path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.lines.push(...text.split('\n').filter((line) => line !== ''));
    });
  }

  static async open(): Promise<NotifySocket> {
    const socket = new NotifySocket();
    await until('the socket is there', () => socket.lines.includes('bound'));
    return socket;
  }

  count(line: string): number {
    return this.lines.filter((one) => one === line).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((resolve) => {
      this.#child.once('close', resolve);
    });
    this.#child.kill('SIGKILL');
    await ended;
    this.#folder[Symbol.dispose]();
  }
}
