/**
 * `up` runs everything on one machine: one ready line, children that come back, and a stop that
 * leaves nothing behind.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { WorkerStatus } from '../../../contracts/status.ts';
import { commandOf, isFreePort } from '../../../runtime/bus/nats-server.ts';
import {
  startServer,
  startTidemark,
  tempFolder,
  tidemark,
  until,
  writeTrace,
} from '../../kit/processes/cli-fixture.ts';

type Up = ReturnType<typeof startTidemark>;

/** Processes whose command line names the folder. */
function processesOn(folder: string): { pid: number; verb: string }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const command = commandOf(Number(name));
      if (Number(name) === process.pid || !command.some((arg) => arg.includes(folder))) return [];
      return [
        {
          pid: Number(name),
          verb: command.find((arg) => ['up', 'worker', 'beacon'].includes(arg)) ?? 'nats-server',
        },
      ];
    });
}

describe('up', () => {
  let folder: ReturnType<typeof tempFolder>;
  let data: string;
  const started: Up[] = [];

  beforeEach(() => {
    folder = tempFolder();
    data = join(folder.path, 'data');
  });

  afterEach(async () => {
    for (const up of started.splice(0)) {
      up.child.kill('SIGKILL');
      await up.ended;
    }
    await until('nothing is left', () => processesOn(data).length === 0);
    folder[Symbol.dispose]();
  });

  function start(more: string[] = []): Up {
    const up = startTidemark(['up', '--data', data, '--http', '127.0.0.1:0', ...more]);
    started.push(up);
    return up;
  }

  async function ready(up: Up): Promise<{ bus: string; http: string }> {
    await until(
      `the ready line; so far it said: ${up.out.stderr.slice(-500)}`,
      () => up.out.stdout.includes('\n'),
      40_000,
    );
    const [, bus = '', http = ''] =
      /^ready .*(nats:\/\/127\.0\.0\.1:\d+).*(http:\/\/127\.0\.0\.1:\d+)/.exec(up.out.stdout) ?? [];
    expect([bus, http]).not.toContain('');
    return { bus, http };
  }

  async function status(): Promise<WorkerStatus | null> {
    const ran = await tidemark(['status', '--data', data, '--json']);
    return ran.code === 0 ? (JSON.parse(ran.stdout) as WorkerStatus) : null;
  }

  const pidOf = (verb: string) => processesOn(data).find((one) => one.verb === verb)?.pid ?? 0;

  test('says ready once both lanes are bootstrapped, other verbs find it, a stop leaves nothing', async () => {
    const up = start();
    const { bus, http } = await ready(up);
    expect((await fetch(`${http}/readyz`)).status).toBe(200);
    expect(await status()).toMatchObject({
      State: 'bootstrapped',
      Queue: { AssignedBeaconID: 'db-1', IDBeaconConnection: 1, AssignedBy: 'operator' },
    });
    const trace = writeTrace(folder.path, 'a.jsonl', [
      ['upsertWorkItem', { WorkItemHash: 'wi-1', Status: 'Pending' }],
    ]);
    expect((await tidemark(['publish', trace, '--data', data])).stdout).toContain('"Accepted":1');
    expect(await tidemark(['drain', '--until-empty', '--data', data])).toMatchObject({
      code: 0,
      stdout: 'empty: every accepted write is delivered\n',
    });
    up.child.kill('SIGTERM');
    const { code, stdout } = await up.ended;
    expect(code).toBe(0);
    expect(stdout.trim().split('\n')).toHaveLength(1);
    expect(processesOn(data)).toEqual([]);
    expect(await isFreePort(Number(bus.split(':').at(-1)))).toBe(true);
    expect(existsSync(join(data, 'bus.json'))).toBe(false);
    expect((await tidemark(['journal', 'stats', '--data', data, '--json'])).stdout).toContain(
      '"Entries": 1',
    );
    expect((await tidemark(['journal', 'verify', '--data', data])).code).toBe(0);
  });

  test('its hub is found beside its bus; where another is named, the answer says which are served', async () => {
    const up = start(['--hub', 'h1']);
    await ready(up);
    expect(await status()).toMatchObject({ HubID: 'h1' });
    const shown = await tidemark(['config', 'show', '--data', data]);
    expect(shown.stdout).toMatch(/^hub +h1 +the up that runs on /m);
    const trace = writeTrace(folder.path, 'a.jsonl', [['removeManifest', 'run-1']]);
    expect((await tidemark(['publish', trace, '--data', data])).stdout).toContain('"Accepted":1');
    expect(await tidemark(['status', '--data', data, '--hub', 'h2'])).toEqual({
      code: 4,
      stdout: '',
      stderr:
        'tidemark: hub h2: nobody answers there; served on this bus: h1; name one with --hub\n',
    });
    expect(
      await tidemark(['status', '--data', data], { env: { TIDEMARK_HUB: 'h3' } }),
    ).toMatchObject({ code: 4, stderr: expect.stringContaining('hub h3: nobody answers') });
  });

  test('starts again whatever part is killed, at the same addresses', async () => {
    const up = start();
    const { http } = await ready(up);
    for (const verb of ['worker', 'beacon', 'nats-server']) {
      const before = pidOf(verb);
      expect(before).toBeGreaterThan(0);
      process.kill(before, 'SIGKILL');
      await until(`${verb} is there again`, () => ![0, before].includes(pidOf(verb)));
      await until(
        `bootstrapped after ${verb} was killed`,
        async () => (await status())?.State === 'bootstrapped',
        40_000,
      );
    }
    expect((await fetch(`${http}/livez`)).status).toBe(200);
    for (const name of ['worker', 'databeacon', 'nats-server'])
      expect(up.out.stderr).toContain(`up: ${name} ended (killed by SIGKILL), restarting it`);
  }, 120_000);

  test('killed itself, it takes its children along; the next one has the same bus and every write', async () => {
    const { bus } = await ready(start());
    const trace = writeTrace(folder.path, 'a.jsonl', [
      ['upsertWorkItem', { WorkItemHash: 'wi-1', Status: 'Pending' }],
    ]);
    await tidemark(['publish', trace, '--data', data]);
    started.splice(0)[0]?.child.kill('SIGKILL');
    const again = start();
    expect((await ready(again)).bus).toBe(bus);
    expect((await tidemark(['publish', trace, '--data', data])).stdout).toContain('"Duplicates":1');
    expect(processesOn(data).filter((one) => one.verb === 'worker')).toHaveLength(1);
  });

  test('a second one on the same data directory is refused with exit 4, and takes nothing from the first', async () => {
    const first = start();
    await ready(first);
    const { code, stderr } = await tidemark(['up', '--data', data, '--http', '127.0.0.1:0']);
    expect({ code, stderr }).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('another up runs on'),
    });
    expect(await status()).toMatchObject({ State: 'bootstrapped' });
  });

  test('uses a bus that is there, and leaves it alone at a stop', async () => {
    const server = await startServer(join(folder.path, 'bus'));
    try {
      const up = start(['--nats', server.url]);
      expect((await ready(up)).bus).toBe(server.url);
      up.child.kill('SIGINT');
      expect((await up.ended).code).toBe(0);
      expect(server.isRunning).toBe(true);
    } finally {
      await server.stop();
    }
  });

  test("leaves an operator's assignment as it is", async () => {
    const databases = [
      '--db',
      `sqlite:${join(folder.path, 'one.sqlite')}`,
      '--db',
      `sqlite:${join(folder.path, 'two.sqlite')}`,
    ];
    const first = start(databases);
    await ready(first);
    expect((await tidemark(['assign', 'db-1', '2', '--data', data])).code).toBe(0);
    first.child.kill('SIGTERM');
    await first.ended;
    await ready(start(databases));
    expect(await status()).toMatchObject({
      State: 'bootstrapped',
      Queue: { IDBeaconConnection: 2 },
    });
    expect(
      JSON.parse(readFileSync(join(data, 'persistence-assignment.json'), 'utf8')),
    ).toMatchObject({ Queue: { IDBeaconConnection: 2 } });
  });

  test('a configuration that cannot run ends it with that exit code', async () => {
    const { code, stderr } = await start(['--db', 'dbase:/nowhere']).ended;
    expect({ code, stderr }).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('restarting it cannot help'),
    });
  });
});
