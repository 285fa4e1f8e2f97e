/** What a connection that somebody on the bus asks for may reach, and what is left alone. */
import { existsSync, linkSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { createConnection } from '../../../beacon/capabilities/management.ts';
import { Connections } from '../../../beacon/databases/connections.ts';
import { CreatedRules } from '../../../beacon/databases/created-rules.ts';
import { BeaconState, type ConnectionRecord } from '../../../beacon/databases/state.ts';
import { tempFolder } from '../../kit/beacon/fixture.ts';

function start(options: { folder?: string | null; stored?: ConnectionRecord[] } = {}) {
  const root = tempFolder();
  const state = BeaconState.open(join(root, 'own'));
  for (const record of options.stored ?? []) state.addConnection(record);
  const folder = options.folder === null ? null : join(root, 'created');
  const leftOut: string[] = [];
  const connections = new Connections({
    state,
    urls: [`sqlite:${join(root, 'a.sqlite')}`],
    rules: new CreatedRules(folder),
    onChange: () => undefined,
    onLeftOut: (name, reason) => leftOut.push(`${name}: ${reason}`),
  });
  const create = (Type: string, Config: string, Name = 'New') =>
    createConnection(connections, { Name, Type, Config });
  return { root, state, folder: folder ?? '', connections, create, leftOut };
}

test('without --create-connections nobody makes a connection (I14)', async () => {
  const { create, root } = start({ folder: null });
  await expect(create('SQLite', join(root, 'b.sqlite'))).rejects.toMatchObject({
    code: 'FORBIDDEN',
  });
  await expect(create('PostgreSQL', 'postgres://a:b@h/d')).rejects.toMatchObject({
    code: 'FORBIDDEN',
  });
  expect(existsSync(join(root, 'b.sqlite'))).toBe(false);
});

test('a file below the folder is made, kept and opened again', async () => {
  const { create, folder, connections } = start();
  expect(await create('SQLite', 'deep/b.sqlite')).toMatchObject({
    Created: true,
    Connected: true,
    IDBeaconConnection: 1001,
  });
  expect(existsSync(join(folder, 'deep', 'b.sqlite'))).toBe(true);
  expect(await create('SQLite', 'other.sqlite')).toMatchObject({
    Created: false,
    IDBeaconConnection: 1001,
  });
  await connections.close();
});

test('nothing outside the folder is made, opened or changed, under no name (I14)', async () => {
  const { create, root, folder, state } = start();
  const foreign = join(root, 'foreign.sqlite');
  new Database(foreign).exec('create table t (a)').close();
  const before = readFileSync(foreign);
  symlinkSync(root, join(folder, 'up'));
  symlinkSync(foreign, join(folder, 'soft.sqlite'));
  linkSync(foreign, join(folder, 'hard.sqlite'));
  writeFileSync(join(folder, 'keys'), 'ssh-ed25519 AAAA\n');
  mkdirSync(join(folder, 'dir'));
  mkdirSync(join(folder, 'worker'));
  writeFileSync(join(folder, 'worker', 'writer.lock'), '');
  symlinkSync(foreign, join(folder, 'b.sqlite-wal'));
  for (const path of [
    join(root, 'new.sqlite'),
    '../new.sqlite',
    `${folder}-beside/new.sqlite`,
    'up/new.sqlite',
    'up/foreign.sqlite',
    'soft.sqlite',
    'hard.sqlite',
    'keys',
    'dir',
    'b.sqlite',
    'c.sqlite-wal',
    'worker/writer.lock',
    'worker/new.sqlite',
    '/dev/zero',
    '/proc/self/mem',
    '/etc/passwd',
    folder,
  ]) {
    const got = await create('SQLite', path).catch((error: unknown) => error);
    expect([path, got]).toEqual([path, expect.objectContaining({ code: 'INVALID_MESSAGE' })]);
  }
  expect(readFileSync(foreign).equals(before)).toBe(true);
  expect(readFileSync(join(folder, 'keys'), 'utf8')).toBe('ssh-ed25519 AAAA\n');
  expect(existsSync(join(root, 'new.sqlite'))).toBe(false);
  expect(state.connections()).toHaveLength(1);
});

test.each([
  ['PostgreSQL', 'postgres://a:b@h/d?sslrootcert=/dev/zero'],
  ['PostgreSQL', 'postgres://a:b@h/d?sslkey=/etc/passwd'],
  ['PostgreSQL', 'postgres://a:b@h/d?host=/var/run/postgresql'],
  ['PostgreSQL', 'postgres://a:b@%2Fvar%2Frun/d'],
  ['PostgreSQL', 'postgres://a:b@h/d?sslmode=/dev/zero'],
  ['PostgreSQL', 'postgres://a:b@h/d?__proto__=x'],
  ['MySQL', 'mysql://a:b@h/d?socketPath=/run/x.sock'],
  ['MSSQL', 'mssql://a:b@h/d?encrypt=maybe'],
  ['MySQL', `mysql://a:${'b'.repeat(3_000)}@h/d`],
])('%s by %s is refused before anything is opened (I14)', async (type, url) => {
  const { create, state } = start();
  await expect(create(type, url)).rejects.toMatchObject({ code: 'INVALID_MESSAGE' });
  expect(state.connections()).toHaveLength(1);
});

test('what is not reached is not kept', async () => {
  const { create, state } = start();
  await expect(create('MySQL', 'mysql://a:hush@127.0.0.1:1/d?ssl=true')).rejects.toThrow(
    /^the database was not reached, and nothing was kept: (?!.*hush)/,
  );
  expect(state.connections()).toHaveLength(1);
});

test('a bad one kept from before does not hold up the start; it is left out and told of (I14)', async () => {
  const record = (IDBeaconConnection: number, Name: string, Url: string): ConnectionRecord => ({
    IDBeaconConnection,
    Name,
    Url,
    Origin: 'request',
    Description: '',
  });
  const { connections, leftOut, create } = start({
    stored: [
      record(1001, 'Zero', 'postgres://a:b@h/d?sslrootcert=/dev/zero'),
      record(1002, 'Keys', 'sqlite:/etc/authorized_keys'),
      record(1003, 'Odd', 'nonsense'),
    ],
  });
  expect(connections.all().map(({ id }) => id)).toEqual([1]);
  expect(leftOut.map((line) => line.split(':')[0])).toEqual(['Zero', 'Keys', 'Odd']);
  await expect(create('SQLite', 'b.sqlite', 'Keys')).rejects.toMatchObject({ code: 'CONFLICT' });
  expect(await create('SQLite', 'b.sqlite')).toMatchObject({ IDBeaconConnection: 1004 });
  await connections.close();
});
