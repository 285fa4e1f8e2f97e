/**
 * What a real worker and a real databeacon tell the service manager: ready when they serve, alive
 * while they can work, stopping when told to.
 */
import { writeFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { freePort } from '../../runtime/bus/nats-server.ts';
import { TestNats } from '../kit/servers/nats.ts';
import { TidemarkProcess } from '../kit/processes/processes.ts';
import { tempDir } from '../kit/temp-dir.ts';
import { until } from '../kit/until.ts';
import { NotifySocket } from '../kit/deploy/notify-socket.ts';

/** Three words in this time. */
const watchdogMs = 1_500;
const environment = (socket: NotifySocket) => ({
  NOTIFY_SOCKET: socket.path,
  WATCHDOG_USEC: String(watchdogMs * 1_000),
});
const alive = 'WATCHDOG=1';

/** Longer than several words would take; true when none came. */
async function isSilent(socket: NotifySocket): Promise<boolean> {
  // One that was under way may still arrive.
  await new Promise((resolve) => {
    setTimeout(resolve, watchdogMs);
  });
  const before = socket.count(alive);
  await new Promise((resolve) => {
    setTimeout(resolve, 2 * watchdogMs);
  });
  return socket.count(alive) === before;
}

async function workerOn(
  socket: NotifySocket,
  nats: TestNats,
  data: string,
): Promise<TidemarkProcess> {
  return new TidemarkProcess(
    [
      'worker',
      '--data',
      data,
      '--nats',
      nats.url.replace('://', '://ann:bus-secret@'),
      '--http',
      `127.0.0.1:${await freePort()}`,
    ],
    environment(socket),
  );
}

test('the worker is ready only with the bus, says so once, is alive while idle, and reports its stop', async () => {
  await using socket = await NotifySocket.open();
  await using nats = await TestNats.start();
  using folder = tempDir('notify-data');
  await nats.kill();
  await using worker = await workerOn(socket, nats, folder.at('data'));
  await until('it says what it waits for', () =>
    socket.lines.some((line) => line.startsWith('STATUS=waiting for the bus')),
  );
  expect(socket.lines.join()).not.toContain('bus-secret');
  expect(socket.lines).not.toContain('READY=1');
  await nats.start();
  await until('it is ready', () => socket.lines.includes('READY=1'));
  await until('it is alive, again and again, with nothing to do', () => socket.count(alive) >= 3);
  expect(socket.lines).toContain('STATUS=unassigned, 0 pending');
  expect(await worker.stop()).toBe('exit 0');
  await until('it said that it stops', () => socket.lines.includes('STOPPING=1'));
  expect(socket.count('READY=1')).toBe(1);
  expect(socket.lines.lastIndexOf(alive)).toBeLessThan(socket.lines.indexOf('STOPPING=1'));
});

test('no word while the journal cannot be written or the process hangs, and words again afterwards', async () => {
  await using socket = await NotifySocket.open();
  await using nats = await TestNats.start();
  using folder = tempDir('notify-data');
  await using worker = await workerOn(socket, nats, folder.at('data'));
  await until('it is alive', () => socket.count(alive) >= 1);
  const lock = new Database(folder.at('data', 'state', 'state.db'));
  try {
    lock.exec('begin immediate');
    expect(await isSilent(socket)).toBe(true);
    expect(worker.isRunning).toBe(true);
    lock.exec('rollback');
  } finally {
    lock.close();
  }
  const unlocked = socket.count(alive);
  await until('it is alive with the journal free', () => socket.count(alive) > unlocked);
  process.kill(worker.pid, 'SIGSTOP');
  expect(await isSilent(socket)).toBe(true);
  process.kill(worker.pid, 'SIGCONT');
  const resumed = socket.count(alive);
  await until('it is alive after the hang', () => socket.count(alive) > resumed);
});

test('a databeacon is ready when it is online, alive while its process is, and tells that it stops', async () => {
  await using socket = await NotifySocket.open();
  await using nats = await TestNats.start();
  using folder = tempDir('notify-data');
  writeFileSync(folder.at('databases'), `# connection 1\nsqlite:${folder.at('b.sqlite')}\n`);
  const start = (file: string) =>
    new TidemarkProcess(
      [
        'beacon',
        '--id',
        'db-1',
        '--db-file',
        folder.at(file),
        '--data',
        folder.at('beacon'),
        '--nats',
        nats.url,
      ],
      environment(socket),
    );
  await using beacon = start('databases');
  await until(
    'it is ready and alive',
    () =>
      socket.lines.includes('READY=1') &&
      socket.lines.includes('STATUS=online as db-1') &&
      socket.count(alive) >= 2,
  );
  expect(beacon.stderr).toContain('"Engine":"sqlite"');
  expect(await beacon.stop()).toBe('exit 0');
  await until('it said that it stops', () => socket.lines.includes('STOPPING=1'));
  await using wrong = start('no-such-file');
  expect(await wrong.exited).toBe('exit 2');
  expect(wrong.stderr).toContain('--db-file');
});

test('without the tool the worker says so once and serves all the same', async () => {
  await using socket = await NotifySocket.open();
  await using nats = await TestNats.start();
  using folder = tempDir('notify-data');
  const http = `127.0.0.1:${await freePort()}`;
  await using worker = new TidemarkProcess(
    ['worker', '--data', folder.at('data'), '--nats', nats.url, '--http', http],
    { ...environment(socket), PATH: folder.path },
  );
  await until('it serves', async () => (await fetch(`http://${http}/readyz`)).ok);
  await new Promise((resolve) => {
    setTimeout(resolve, 2 * watchdogMs);
  });
  expect(worker.stderr.match(/is systemd-notify installed/g)).toHaveLength(1);
  expect(socket.lines).toEqual(['bound']);
});
