/** The nats-server of our own starts, stops, is taken over, and does not outlive its parent. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { limits } from '../../../contracts/limits.ts';
import { Bus } from '../../../runtime/bus/bus.ts';
import {
  commandOf,
  findNatsServer,
  freePort,
  isFreePort,
  type NatsServer,
} from '../../../runtime/bus/nats-server.ts';
import { quiet, startServer, tempFolder, until } from '../../kit/processes/cli-fixture.ts';

const runtimeModule = fileURLToPath(
  new URL('../../../runtime/bus/nats-server.ts', import.meta.url),
);

describe('nats-server', () => {
  let folder: ReturnType<typeof tempFolder>;
  let server: NatsServer | null = null;

  beforeEach(() => {
    folder = tempFolder();
  });

  afterEach(async () => {
    await server?.stop();
    server = null;
    folder[Symbol.dispose]();
  });

  test('accepts connections once started, takes messages of 8 MiB, and is gone once stopped', async () => {
    const port = await freePort();
    server = await startServer(folder.path, port);
    expect(server.url).toBe(`nats://127.0.0.1:${port}`);
    const bus = await Bus.connect(
      { servers: server.url, name: 'test', waitForServer: false },
      quiet,
    );
    expect(bus.payloadBytesMax).toBe(limits.busPayloadBytesMax);
    await bus.close();
    await server.stop();
    expect(server.isRunning).toBe(false);
    expect(await isFreePort(port)).toBe(true);
    await server.stop();
  });

  test('is ended first when a killed process left it on the same folder', async () => {
    const port = await freePort();
    // Without setpriv on the way: the left-over of a machine that cannot tie a child to its parent.
    const left = await startServer(folder.path, port);
    const config = join(folder.path, 'nats-server.conf');
    server = await startServer(folder.path, port);
    expect(await left.exited).not.toBe('');
    expect(server.pid).not.toBe(left.pid);
    expect(commandOf(server.pid)).toContain(config);
    expect(Number(readFileSync(join(folder.path, 'nats-server.pid'), 'utf8'))).toBe(server.pid);
  });

  test('dies with the process that started it, however that ends', async () => {
    const port = await freePort();
    const script = `import { NatsServer, findNatsServer } from ${JSON.stringify(runtimeModule)};
      const binary = findNatsServer(undefined, process.env.PATH, () => undefined);
      await NatsServer.start({ folder: ${JSON.stringify(folder.path)}, port: ${port}, binary });
      setInterval(() => undefined, 1000);`;
    const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: 'ignore',
    });
    await until('the child server listens', async () => !(await isFreePort(port)));
    parent.kill('SIGKILL');
    await until('the child server is gone', () => isFreePort(port));
    expect(await isFreePort(port)).toBe(true);
  });

  test('says what its log says when the port is taken', async () => {
    const port = await freePort();
    server = await startServer(folder.path, port);
    using other = tempFolder();
    await expect(startServer(other.path, port)).rejects.toMatchObject({
      code: 'UNREACHABLE',
      message: expect.stringContaining('address already in use'),
    });
  });

  test('a binary named in NATS_SERVER_BIN must exist', () => {
    expect(() => findNatsServer('/nowhere/nats-server', '', () => undefined)).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID' }),
    );
  });
});
