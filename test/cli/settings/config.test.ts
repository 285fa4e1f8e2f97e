/**
 * `config show` tells each setting with who set it, without a secret; `config check` says whether a
 * worker could start.
 */
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { decodeBusUrl } from '../../../cli/settings/bus-url.ts';
import { maskedUrl } from '../../../runtime/masked.ts';
import { variables } from '../../../cli/settings/settings.ts';
import { writeBusFile } from '../../../cli/up/bus-file.ts';
import { tempFolder, tidemark } from '../../kit/processes/cli-fixture.ts';
import { runHere } from '../../kit/processes/in-process.ts';

type Setting = { Name: string; Value: string | null; Origin: string };

function folder(): string {
  const made = tempFolder();
  onTestFinished(() => made[Symbol.dispose]());
  return made.path;
}

async function settings(
  args: string[],
  env: Record<string, string> = {},
): Promise<Record<string, Setting>> {
  const ran = await runHere(['config', 'show', '--json', ...args], env);
  expect(ran).toMatchObject({ code: 0, stderr: '' });
  return Object.fromEntries(
    (JSON.parse(ran.stdout) as { Settings: Setting[] }).Settings.map((one) => [one.Name, one]),
  );
}

test('every setting is there, with its origin: flag, variable, file, default', async () => {
  const file = join(folder(), 'tidemark.json');
  writeFileSync(file, JSON.stringify({ hub: 'of-file', pendingMax: '77', logLevel: 'warn' }));
  const found = await settings(['--config', file, '--hub', 'of-flag', '--http', '127.0.0.1:9'], {
    TIDEMARK_LOG: 'error',
    TIDEMARK_HUB: 'of-variable',
  });
  expect(Object.keys(found)).toEqual(Object.keys(variables));
  expect(found).toMatchObject({
    hub: { Value: 'of-flag', Origin: 'flag --hub' },
    http: { Value: '127.0.0.1:9', Origin: 'flag --http' },
    logLevel: { Value: 'error', Origin: 'environment TIDEMARK_LOG' },
    pendingMax: { Value: '77', Origin: file },
    data: { Value: './tidemark-data', Origin: 'default' },
    creds: { Value: null, Origin: 'not set' },
  });
  expect((await runHere(['config', 'show'])).stdout).toMatch(/^hub +hub1 +default$/m);
});

test('bus and hub of a running up are named as such', async () => {
  const data = folder();
  // Any process with `up` in its command line stands for one; ours has it in its arguments.
  writeBusFile(data, { Url: 'nats://127.0.0.1:5555', Hub: 'h1', Pid: 1 });
  const { nats, hub } = await settings(['--data', data]);
  expect([hub?.Origin, hub?.Value]).toEqual(
    nats?.Origin === 'default' ? ['default', 'hub1'] : [`the up that runs on ${data}`, 'h1'],
  );
  expect([nats?.Origin, nats?.Value]).toEqual(
    nats?.Origin === 'default'
      ? ['default', 'nats://127.0.0.1:4222']
      : [`the up that runs on ${data}`, 'nats://127.0.0.1:5555'],
  );
});

test('no secret is shown, wherever it stands', async () => {
  const dir = folder();
  for (const name of ['a.creds', 'b.nk', 'key.pem', 'cert.pem'])
    writeFileSync(join(dir, name), 'SECRET-in-file');
  const file = join(dir, 'tidemark.json');
  writeFileSync(file, JSON.stringify({ natsToken: 'SECRET-token', password: 'SECRET-password' }));
  const env = {
    NATS_URL: 'nats://ann:SECRET-url@one:4222,nats://SECRET-two@two',
    TIDEMARK_TOKEN: 'SECRET-bearer',
    NATS_CREDS: join(dir, 'a.creds'),
    NATS_NKEY: join(dir, 'b.nk'),
    NATS_KEY: join(dir, 'key.pem'),
    NATS_CERT: join(dir, 'cert.pem'),
  };
  const found = await settings(['--config', file], env);
  const { stdout: shownByShow } = await runHere(['config', 'show', '--config', file], env);
  const { stdout: shownByCheck } = await runHere(
    ['config', 'check', '--config', file, '--json'],
    env,
  );
  const shown = JSON.stringify(found) + shownByShow + shownByCheck;
  expect(shown).not.toContain('SECRET');
  expect(found).toMatchObject({
    nats: { Value: 'nats://ann:***@one:4222,nats://***@two' },
    token: { Value: '***' },
    natsToken: { Value: '***' },
    password: { Value: '***' },
    creds: { Value: join(dir, 'a.creds') },
  });
  const pasted = await runHere(['config', 'show'], {
    NATS_CREDS: '-----BEGIN NATS USER JWT-----SECRET',
  });
  expect(pasted).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('NATS_CREDS "***": there is no such file'),
  });
});

test('a URL is shown without what logs in with it, and read back by the parts that were written', () => {
  expect(maskedUrl('postgres://ann:p@ss@db/x')).toBe('postgres://ann:***@db/x');
  expect(maskedUrl('postgres://ann:pa:ss@db/x?password=pw&a=b')).toBe(
    'postgres://ann:***@db/x?password=***&a=b',
  );
  const word = fc.stringMatching(/^[A-Za-z0-9!$:/?#@%,\s-]{1,12}$/);
  fc.assert(
    fc.property(
      fc.stringMatching(/^[a-z]{1,8}$/),
      word,
      fc.integer({ min: 1, max: 65_535 }),
      (user, password, port) => {
        const url = `nats://${user}:${encodeURIComponent(password)}@host:${port}`;
        expect(decodeBusUrl(url)).toEqual({ servers: `nats://host:${port}`, user, password });
        expect(maskedUrl(url)).toBe(`nats://${user}:***@host:${port}`);
      },
    ),
  );
});

test('rubbish as a URL is taken or refused with a line, never anything else', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), fc.stringMatching(/^(nats|tls|http)?:?\/{0,2}[a-z0-9.@:[\]%]{0,20}$/)),
      (text) => {
        try {
          expect(decodeBusUrl(text).servers).not.toBe('');
        } catch (error) {
          expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
        }
      },
    ),
  );
});

test('config check: sound, and nothing is made or started by it', async () => {
  const data = join(folder(), 'data');
  const ran = await tidemark(['config', 'check', '--data', data, '--json']);
  expect(ran).toMatchObject({ code: 0, stderr: '' });
  expect(JSON.parse(ran.stdout)).toMatchObject({ Success: true, Hub: 'hub1', Data: data });
  expect(existsSync(data)).toBe(false);
});

test('config check: what only shows when it is used together', async () => {
  const data = folder();
  expect(await runHere(['config', 'check', '--data', '/dev/shm/tidemark-check'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('tmpfs'),
  });
  expect(
    (await runHere(['config', 'check', '--data', '/dev/shm/tidemark-check', '--any-file-system']))
      .code,
  ).toBe(0);
  expect((await runHere(['config', 'check', '--data', data, '--http', '0.0.0.0:8390'])).code).toBe(
    2,
  );
  expect(
    (
      await runHere(['config', 'check', '--data', data, '--http', '0.0.0.0:8390'], {
        TIDEMARK_TOKEN: 'x',
      })
    ).code,
  ).toBe(0);
  // A folder that nobody may write; the superuser may all the same.
  const closed = join(data, 'closed');
  mkdirSync(closed);
  chmodSync(closed, 0o500);
  expect((await runHere(['config', 'check', '--data', join(closed, 'data')])).code).toBe(
    process.getuid?.() === 0 ? 0 : 2,
  );
});

test('a port that is taken is no matter of the check', async () => {
  const server = createServer();
  await new Promise<void>((done) => {
    server.listen(0, '127.0.0.1', done);
  });
  onTestFinished(() => void server.close());
  const { port } = server.address() as { port: number };
  expect(
    (await runHere(['config', 'check', '--data', folder(), '--http', `127.0.0.1:${port}`])).code,
  ).toBe(0);
});
