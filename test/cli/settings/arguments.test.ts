/**
 * The command line answers wrong arguments with a line that helps and the right exit code, and
 * finds its configuration where it should.
 */
import { copyFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { commandOf } from '../../../runtime/bus/nats-server.ts';
import { resolveConfig } from '../../../cli/settings/config.ts';
import { runCommandLine } from '../../../cli/program.ts';
import { writeBusFile } from '../../../cli/up/bus-file.ts';
import {
  launcher,
  startTidemark,
  tempFolder,
  tidemark,
  until,
  writeTrace,
} from '../../kit/processes/cli-fixture.ts';

const nowhere = 'nats://127.0.0.1:1';

describe('arguments and exit codes', () => {
  test.each([
    ['an unknown verb', ['statsu'], 2, 'did you mean status?'],
    [
      'an unknown option',
      ['publish', '--concurency', '3', 'x'],
      2,
      'did you mean --concurrency <n>?',
    ],
    ['an unknown verb of a group', ['dead-letters', 'lss'], 2, 'did you mean dead-letters ls?'],
    ['no verb', [], 2, 'Usage: tidemark'],
    ['a missing argument', ['locate'], 2, "missing required argument 'guid'"],
    [
      'a count that is none',
      ['publish', '--batch', '0', 'x'],
      2,
      'expected an integer of at least 1',
    ],
    [
      'a connection that is none',
      ['assign', 'db-1', 'one', '--nats', nowhere],
      2,
      'is not an integer',
    ],
    ['a hub that is no token', ['status', '--hub', 'a.b'], 2, 'is not 1 to 64 of'],
    [
      'a file that is not there',
      ['publish', 'missing.jsonl', '--nats', nowhere],
      3,
      'no such trace file',
    ],
    ['no bus', ['status', '--nats', nowhere], 4, 'is nats-server running there?'],
    [
      'a missing configuration file',
      ['status', '--config', 'missing.json'],
      2,
      'no configuration file',
    ],
  ])('%s: exit code and a line that helps', async (_, args, code, line) => {
    const ran = await tidemark(args);
    expect(ran.stderr).toContain(line);
    expect(ran.code).toBe(code);
    expect(ran.stdout).toBe('');
  });

  test('ends with the exit code of the verb', async () => {
    expect(await runCommandLine(['status', '--nats', nowhere])).toBe(4);
  });
});

describe('on an older Node', () => {
  /** The launcher believes it runs on Node 18; what it launches sees the truth. */
  const old = [
    '--import',
    `data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'18.0.0'}})`,
  ];

  test('it runs again on the one of the node package, and passes arguments and exit code on', async () => {
    const version = startTidemark(['--version'], { nodeArgs: old });
    expect(await version.ended).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    });
    expect((await startTidemark(['status', '--nats', nowhere], { nodeArgs: old }).ended).code).toBe(
      4,
    );
  });

  test('what was launched does not outlive a killed launcher', async () => {
    using folder = tempFolder();
    const trace = writeTrace(folder.path, 'a.jsonl', [['removeManifest', 'run-1']]);
    const args = ['publish', trace, '--nats', nowhere];
    const launched = (): number =>
      processesWith(trace).find(({ isLauncher }) => !isLauncher)?.pid ?? 0;
    const first = startTidemark(args, { nodeArgs: old });
    await until('it is launched', () => launched() > 0);
    first.child.kill('SIGKILL');
    await first.ended;
    await until('it is gone', () => launched() === 0);
    expect(processesWith(trace)).toEqual([]);
  });

  test('without the node package it says how to get one, exit 2', async () => {
    using folder = tempFolder();
    const alone = join(folder.path, 'tidemark.mjs');
    copyFileSync(launcher, alone);
    const ran = await startTidemark(['status'], { nodeArgs: old, entry: alone }).ended;
    expect(ran).toMatchObject({ code: 2, stderr: expect.stringContaining('npm install node@24') });
  });
});

function processesWith(text: string): { pid: number; isLauncher: boolean }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const command = commandOf(Number(name));
      return command.includes(text)
        ? [{ pid: Number(name), isLauncher: command.includes('--import') }]
        : [];
    });
}

describe('configuration', () => {
  test('a flag goes before a variable, a variable before the file, the file before the default', () => {
    using folder = tempFolder();
    const config = join(folder.path, 'tidemark.json');
    writeFileSync(
      config,
      JSON.stringify({ nats: 'nats://file:1', hub: 'file', http: '127.0.0.1:1' }),
    );
    const resolved = resolveConfig(
      { config, hub: 'flag', data: folder.path },
      { NATS_URL: 'nats://variable:1' },
    );
    expect(resolved).toMatchObject({ hub: 'flag', http: '127.0.0.1:1', isBusNamed: true });
    expect(resolved.bus.servers).toBe('nats://variable:1');
    expect(resolveConfig({ data: folder.path }, {})).toMatchObject({
      hub: 'hub1',
      isBusNamed: false,
      http: '127.0.0.1:8390',
    });
  });

  test('unknown keys of the file are refused, all at once, with what was probably meant', () => {
    using folder = tempFolder();
    const config = join(folder.path, 'tidemark.json');
    writeFileSync(config, JSON.stringify({ nast: 'nats://x', datta: 'y' }));
    expect(() => resolveConfig({ config }, {})).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        message: expect.stringMatching(
          /"nast", did you mean nats\?; unknown key "datta", did you mean data\?/,
        ),
      }),
    );
  });

  test('user, password and token are taken out of the URL, and handed to children as variables', () => {
    using folder = tempFolder();
    const { bus, environment } = resolveConfig(
      { nats: 'nats://ann:s%40fe@one:1,two:2', data: folder.path },
      {},
    );
    expect(bus).toEqual({ servers: 'nats://one:1,two:2', user: 'ann', password: 's@fe' });
    expect(environment).toMatchObject({ NATS_USER: 'ann', NATS_PASSWORD: 's@fe' });
    expect(resolveConfig({ nats: 'nats://secret@one:1', data: folder.path }, {}).bus).toEqual({
      servers: 'nats://one:1',
      token: 'secret',
    });
  });

  test('the bus of a running up on the data directory is found, that of a dead one is not', () => {
    using folder = tempFolder();
    writeBusFile(folder.path, { Url: 'nats://127.0.0.1:5555', Pid: 2 ** 22 - 1 });
    expect(resolveConfig({ data: folder.path }, {}).bus.servers).toBe('nats://127.0.0.1:4222');
  });
});
