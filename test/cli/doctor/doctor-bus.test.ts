/**
 * `tidemark doctor` beside a whole running system: nothing to tell while it is well, and each thing
 * that is broken for real is told with what to do.
 */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import { connect } from 'nats';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { Bus } from '../../../runtime/bus/bus.ts';
import { systemClock } from '../../../runtime/clock.ts';
import { freePort } from '../../../runtime/bus/nats-server.ts';
import { busClock } from '../../../cli/doctor/doctor-bus.ts';
import type { Check } from '../../../cli/doctor/doctor-check.ts';
import { natsBinary } from '../../kit/servers/nats.ts';
import { TidemarkProcess } from '../../kit/processes/processes.ts';
import { Stack } from '../../kit/processes/stack.ts';
import { tempDir } from '../../kit/temp-dir.ts';
import { until } from '../../kit/until.ts';
import { quiet, tidemark } from '../../kit/processes/cli-fixture.ts';

const deadlineMs = 45_000;

async function doctor(
  stack: { nats: { url: string }; data: string },
  env: Record<string, string> = {},
): Promise<{ code: number | null; notOk: Check[]; all: Check[] }> {
  const ran = await tidemark(['doctor', '--json', '--nats', stack.nats.url, '--data', stack.data], {
    env,
  });
  const { Checks: all } = JSON.parse(ran.stdout) as { Checks: Check[] };
  return { code: ran.code, all, notOk: all.filter(({ Level }) => Level !== 'ok') };
}

const told = (Name: string, Level: Check['Level'], what: RegExp) => ({
  Name,
  Level,
  What: expect.stringMatching(what) as string,
  Do: expect.stringMatching(/./) as string,
});

describe('beside a whole system', () => {
  let stack: Stack;
  const look = (env?: Record<string, string>) =>
    doctor({ nats: stack.nats, data: stack.workerFile() }, env);
  const bootstrapped = () =>
    until('bootstrapped', async () => (await stack.status()).State === 'bootstrapped', {
      deadlineMs,
    });

  beforeAll(async () => {
    stack = await Stack.start();
  }, 90_000);

  afterAll(async () => {
    await stack?.[Symbol.asyncDispose]();
  });

  test('all is well: exit 0, and every part was looked at', async () => {
    const { code, all, notOk } = await look();
    expect({ code, notOk }).toEqual({ code: 0, notOk: [] });
    expect(all.map(({ Name }) => Name)).toEqual([
      'file system',
      'free space',
      'modes',
      'log',
      'rescue',
      'aside',
      'store',
      'schema',
      'pages',
      'worker',
      'lock',
      'reserve',
      'clock',
      'marks file',
      'sync',
      'bus',
      'bus version',
      'max_payload',
      'jetstream',
      'bus clock',
      'answers',
      'beacon',
      'carrier',
      'connection',
      'backend schema',
    ]);
    const shown = await tidemark([
      'doctor',
      '--nats',
      stack.nats.url,
      '--data',
      stack.workerFile(),
    ]);
    expect(shown).toMatchObject({ code: 0, stdout: expect.stringMatching(/^ok +carrier +batch/m) });
  }, 60_000);

  test('delivery is paused; a drill runs; dead letters', async () => {
    await stack.control('pause');
    expect((await look()).notOk).toEqual([told('answers', 'warn', /delivery is paused/)]);
    await stack.control('resume');
    await stack.control('drill', { BeaconID: 'db-1', Seconds: 60, Force: true });
    expect((await look()).notOk).toEqual([told('answers', 'warn', /in a drill until/)]);
    await stack.control('drill', { Stop: true });
    await bootstrapped();
  }, 120_000);

  test('a table and a column that are gone from the database', async () => {
    const db = new Database(stack.backendPath);
    db.exec('drop table UVManifest; alter table UVQueueWorkItem drop column StalledAt');
    db.close();
    const { code, notOk } = await look();
    expect({ code, notOk }).toEqual({
      code: 6,
      notOk: [
        told('backend schema', 'warn', /db-1\/1 lacks UVQueueWorkItem\.StalledAt, UVManifest$/),
      ],
    });
    await stack.beacon.kill();
    stack.beacon.restart();
    await until('the bootstrap has mended it', async () => (await look()).notOk.length === 0, {
      deadlineMs,
    });
  }, 120_000);

  test('a connection the beacon does not have: exit 1', async () => {
    await stack.control('assign', { BeaconID: 'db-1', IDBeaconConnection: 7 });
    // The bootstrap is tried again and again, so a look may fall between two errors.
    const seen = await until(
      'a look at the error',
      async () => {
        const found = await look();
        return found.notOk.length > 1 ? found : null;
      },
      { deadlineMs },
    );
    expect({ code: seen.code, notOk: seen.notOk }).toEqual({
      code: 1,
      notOk: [
        told('answers', 'warn', /error: EnsureSchema failed/),
        told('connection', 'fail', /db-1 has no connection 7; it has 1/),
      ],
    });
  }, 120_000);

  test('nothing assigned; then a beacon without the batch capability', async () => {
    await stack.control('clear');
    expect((await look()).notOk).toEqual([told('beacon', 'warn', /no lane is assigned/)]);
    const folder = tempDir('no-batch');
    await using other = new TidemarkProcess([
      'beacon',
      '--id',
      'db-2',
      '--db',
      `sqlite:${folder.at('b.sqlite')}`,
      '--data',
      folder.at('beacon'),
      '--nats',
      stack.nats.url,
      '--no-batch',
    ]);
    onTestFinished(() => folder[Symbol.dispose]());
    await stack.control('assign', { BeaconID: 'db-2', IDBeaconConnection: 1 });
    await bootstrapped();
    expect((await look()).notOk).toEqual([
      told('carrier', 'warn', /meadow-proxy: db-2 does not offer DataBeaconBatch/),
    ]);
    await other.kill();
    await until('it is away', async () => (await stack.status()).State === 'waiting-for-beacon', {
      deadlineMs,
    });
    expect((await look()).notOk).toEqual([told('beacon', 'warn', /db-2 is away; there are db-1/)]);
    await stack.control('assign', { BeaconID: 'db-1', IDBeaconConnection: 1 });
    await bootstrapped();
  }, 120_000);

  test('the worker is gone without a stop: the store still says which database to look at', async () => {
    await stack.worker.kill();
    const { code, all, notOk } = await look();
    expect({ code, notOk }).toEqual({
      code: 6,
      notOk: [
        told('worker', 'warn', /gone without a stop/),
        told('answers', 'warn', /nobody answers/),
      ],
    });
    expect(all).toContainEqual(expect.objectContaining({ Name: 'connection', Level: 'ok' }));
    stack.worker.restart();
    await bootstrapped();
  }, 120_000);
});

/** A server as somebody else set it up. */
async function startServer(config: string): Promise<{ url: string }> {
  const [port, folder] = [await freePort(), tempDir('nats-plain')];
  writeFileSync(folder.at('server.conf'), `listen: "127.0.0.1:${port}"\n${config}\n`);
  const server = spawn(natsBinary(), ['-c', folder.at('server.conf')], { stdio: 'ignore' });
  onTestFinished(async () => {
    const ended = new Promise((resolve) => {
      server.once('exit', resolve);
    });
    server.kill('SIGKILL');
    await ended;
    folder[Symbol.dispose]();
  });
  const url = `nats://127.0.0.1:${port}`;
  await until(
    'the server answers',
    async () => {
      await (await connect({ servers: url })).close();
      return true;
    },
    { deadlineMs },
  );
  return { url };
}

test('a server without JetStream, with small messages', async () => {
  const nats = await startServer('max_payload: 65536');
  const folder = tempDir('doctor-bus');
  onTestFinished(() => folder[Symbol.dispose]());
  const { code, notOk } = await doctor(
    { nats, data: folder.path },
    { TIDEMARK_INTAKE: 'jetstream' },
  );
  expect(code).toBe(1);
  expect(notOk).toEqual(
    expect.arrayContaining([
      told('max_payload', 'warn', /65536 bytes/),
      told('jetstream', 'fail', /off/),
      told('answers', 'warn', /nobody answers/),
      told('beacon', 'warn', /no lane is assigned/),
    ]),
  );
  expect((await doctor({ nats, data: folder.path })).notOk.map(({ Name }) => Name)).not.toContain(
    'jetstream',
  );
}, 60_000);

test("a clock that is not the server's, as far as a server tells its time", async () => {
  const nats = await startServer('');
  const bus = await Bus.connect({ servers: nats.url, name: 'doctor' }, quiet);
  onTestFinished(() => bus.close());
  expect(await busClock(bus, 'hub1', systemClock)).toMatchObject({
    Level: 'ok',
    What: expect.stringContaining('cannot be compared'),
  });
  // Servers from 2.10 on put their time into what they say of a stream; this says the same in their
  // place.
  let offMs = 0;
  const server = await connect({ servers: nats.url });
  onTestFinished(() => server.close());
  server.subscribe('$JS.API.STREAM.INFO.TIDEMARK_IN_hub1', {
    callback: (_, message) =>
      void message.respond(JSON.stringify({ ts: new Date(Date.now() + offMs).toISOString() })),
  });
  await server.flush();
  expect(await busClock(bus, 'hub1', systemClock)).toMatchObject({
    Level: 'ok',
    What: expect.stringMatching(/this machine is \d+ ms (?:behind|ahead of) the server/),
  });
  offMs = 3_600_000;
  expect(await busClock(bus, 'hub1', systemClock)).toMatchObject({
    Level: 'warn',
    What: expect.stringMatching(/is 3\d{6} ms behind the server/),
  });
}, 60_000);
