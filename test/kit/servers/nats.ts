/**
 * A real nats-server for one test: JetStream in a temporary folder, 8 MiB messages, killed and
 * started again on the same port and store.
 */
import { freePort, findNatsServer, NatsServer } from '../../../runtime/bus/nats-server.ts';
import { tempDir } from '../temp-dir.ts';

let binary: string | null = null;

/** Path of a nats-server, installed first where it lacks. */
export function natsBinary(): string {
  binary ??= findNatsServer(process.env['NATS_SERVER_BIN'], process.env['PATH'] ?? '', (line) =>
    process.stderr.write(`${line}\n`),
  );
  return binary;
}

export class TestNats implements AsyncDisposable {
  readonly url: string;
  readonly #port: number;
  readonly #folder = tempDir('nats');
  #server: NatsServer | null = null;

  private constructor(port: number) {
    this.#port = port;
    this.url = `nats://127.0.0.1:${port}`;
  }

  static async start(): Promise<TestNats> {
    const nats = new TestNats(await freePort());
    await nats.start();
    return nats;
  }

  /** Starts it on the same port and store; does nothing while it runs. */
  async start(): Promise<void> {
    if (this.#server?.isRunning) return;
    this.#server = await NatsServer.start({
      folder: this.#folder.path,
      port: this.#port,
      binary: natsBinary(),
    });
  }

  /** SIGKILL, and waits until it is gone. */
  async kill(): Promise<void> {
    this.#server?.kill();
    await this.#server?.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    this.#folder[Symbol.dispose]();
  }
}
