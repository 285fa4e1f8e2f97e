/**
 * What the beacon keeps and refuses at its start: database URLs, connection numbers, the bound of
 * the audit.
 */
import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, onTestFinished, test } from 'vitest';
import { checkBeaconConfig, parseDatabaseUrl } from '../../../beacon/databases/config.ts';
import { Connections, routeHashOf } from '../../../beacon/databases/connections.ts';
import { CreatedRules } from '../../../beacon/databases/created-rules.ts';
import { BeaconState } from '../../../beacon/databases/state.ts';
import { openBackend, tempFolder } from '../../kit/beacon/fixture.ts';

function open(
  folder: string,
  urls: string[],
): { state: BeaconState; connections: Connections; close(): Promise<void> } {
  const state = BeaconState.open(folder);
  const connections = new Connections({
    state,
    urls,
    rules: new CreatedRules(join(folder, 'created')),
    onChange: () => undefined,
  });
  let isOpen = true;
  const close = async () => {
    if (isOpen) {
      isOpen = false;
      await connections.close();
      state.close();
    }
  };
  onTestFinished(close);
  return { state, connections, close };
}

describe('database URLs', () => {
  test.each([
    ['sqlite:/a/b.sqlite', '/a/b.sqlite'],
    ['sqlite:///a/b.sqlite', '/a/b.sqlite'],
    ['sqlite:b.sqlite', '/from/b.sqlite'],
    ['sqlite://x/b.sqlite', '/from/x/b.sqlite'],
  ])('%s is %s', (url, path) => {
    expect(parseDatabaseUrl(url, '/from')).toMatchObject({
      kind: 'sqlite',
      path,
      label: `sqlite:${path}`,
    });
  });

  test.each([
    ['postgres://user:secret@h:5/db', 'postgresql', 'postgres://user@h:5/db'],
    ['postgresql://h/db?password=secret', 'postgresql', 'postgresql://h/db'],
    ['mysql://u:secret@h/db', 'mysql', 'mysql://u@h/db'],
    ['mariadb://u:secret@h/db', 'mysql', 'mariadb://u@h/db'],
    ['mssql://u:secret@h/db', 'mssql', 'mssql://u@h/db'],
  ])('%s is of %s and shown as %s', (url, kind, label) => {
    expect(parseDatabaseUrl(url)).toEqual({ kind, url, label, name: 'db' });
  });

  test.each([
    'postgres://user:secret@h',
    'mysql://:secret@/db',
    'oracle://u:secret@h/db',
    'secret.sqlite',
    'sqlite:',
    'sqlite::memory:',
  ])('%s is refused without repeating a password', (url) => {
    expect(() => parseDatabaseUrl(url)).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        message: expect.not.stringContaining('secret') as string,
      }) as Error,
    );
  });

  test('a beacon needs a database and an id that is one token', () => {
    const config = {
      beaconId: 'db-1',
      databases: ['sqlite:x'],
      dataDir: 'x',
      isBatchOn: true,
      tags: {},
    };
    expect(() => checkBeaconConfig(config)).not.toThrow();
    expect(() => checkBeaconConfig({ ...config, beaconId: 'a.b' })).toThrow('beacon id');
    expect(() => checkBeaconConfig({ ...config, databases: [] })).toThrow('no database');
  });
});

describe('state', () => {
  test('files are the owner’s alone', async () => {
    const { path } = await openBackend();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const folder = join(tempFolder(), 'made', 'here');
    open(folder, []);
    expect(statSync(join(folder, 'beacon.db')).mode & 0o777).toBe(0o600);
    expect(statSync(dirname(folder)).mode & 0o777).toBe(0o700);
  });

  test('the n-th URL is connection n; another database under a number starts without endpoints', async () => {
    const folder = tempFolder();
    const [one, two] = ['one', 'two'].map((name) => `sqlite:${join(folder, `${name}.sqlite`)}`) as [
      string,
      string,
    ];
    const first = open(folder, [one, two]);
    for (const connection of first.connections.all())
      first.connections.setEndpoint(connection, 'T', true);
    const { connection: made } = await first.connections.create('Third', 'sqlite:third.sqlite', '');
    await first.close();
    const second = open(folder, [two, two]);
    expect(
      second.connections.all().map(({ id, name, endpoints }) => [id, name, endpoints.size]),
    ).toEqual([
      [1, 'two', 0],
      [2, 'two-2', 1],
      [made.id, 'Third', 0],
    ]);
    await second.close();
    const third = open(folder, [one]);
    expect(third.connections.all().map(({ id, name }) => [id, name])).toEqual([
      [1, 'one'],
      [made.id, 'Third'],
    ]);
    await expect(third.connections.create('ONE', 'sqlite:x', '')).rejects.toThrow(
      'path of connection 1',
    );
  });

  test('names become one lower-case part of a path', () => {
    expect(['UV External SQLite', '--A__b--', '', 'x'.repeat(100)].map(routeHashOf)).toEqual([
      'uv-external-sqlite',
      'a-b',
      'connection',
      'x'.repeat(64),
    ]);
  });

  test('a state of a newer version is not touched', () => {
    const folder = tempFolder();
    open(folder, []).state.close();
    const db = new Database(join(folder, 'beacon.db'));
    db.pragma('user_version = 99');
    db.close();
    expect(() => BeaconState.open(folder)).toThrow(
      expect.objectContaining({ code: 'NEWER_SCHEMA' }) as Error,
    );
  });
});
