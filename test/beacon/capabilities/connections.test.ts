/** Connections of a databeacon over the bus: made, listed, refused, and their secrets kept. */
import { linkSync, statSync, symlinkSync } from 'node:fs';
import { join as joinPath } from 'node:path';
import { describe, expect, test } from 'vitest';
import { listConnections } from '../../../beacon/capabilities/access.ts';
import { databaseAt, withoutSecret } from '../../../beacon/databases/connection-config.ts';
import { createConnection } from '../../../beacon/capabilities/management.ts';
import { tempFolder } from '../../kit/beacon/fixture.ts';
import { start } from '../../kit/beacon/proxy-kit.ts';

describe('connections', () => {
  test.each([
    [
      {
        Type: 'PostgreSQL',
        Config: {
          Server: 'db.example',
          Port: 5433,
          User: 'ann',
          Password: 'p@:/?#%s',
          Database: 'my db',
        },
      },
      'postgres://ann:p%40%3A%2F%3F%23%25s@db.example:5433/my%20db',
    ],
    [
      { Type: 'postgres', Config: '{"host":"::1","user":"ann","database":"d"}' },
      'postgres://ann@[::1]/d',
    ],
    [
      {
        Type: 'MariaDB',
        Config: { server: '10.0.0.7', username: 'ann', password: 's', database: 'd' },
      },
      'mysql://ann:s@10.0.0.7/d',
    ],
    [{ Type: 'MSSQL', Config: 'mssql://sa:s@h:1433/d' }, 'mssql://sa:s@h:1433/d'],
    [{ Type: 'SQLite', Config: { SQLiteFilePath: '/a/b.db' } }, 'sqlite:/a/b.db'],
    [{ Type: 'sqlite', Config: '/a/b.db' }, 'sqlite:/a/b.db'],
    [{ Type: 'sqlite', Config: 'sqlite:/a/b.db' }, 'sqlite:/a/b.db'],
  ])('%j is %s', (settings, url) => {
    expect(databaseAt(settings).url).toBe(url);
  });

  test.each([
    [{ Type: 'Oracle', Config: {} }, 'Settings.Type'],
    [{ Type: 'MySQL', Config: 'postgres://ann:hush@h/d' }, 'URL of MySQL'],
    [{ Type: 'MySQL', Config: '{"Password":"hush",}' }, 'Settings.Config'],
    [
      { Type: 'MySQL', Config: { Server: 'h/x?password=hush', Database: 'd' } },
      'Settings.Config.Server',
    ],
    [{ Type: 'MySQL', Config: { Server: 'h', Password: 'hush' } }, 'Settings.Config.Database'],
    [{ Type: 'PostgreSQL', Config: 'postgres://ann:hush@/d' }, 'Settings.Config'],
    [{ Type: 'SQLite', Config: ':memory:' }, 'Settings.Config'],
    [{ Type: 'SQLite', Config: {} }, 'SQLiteFilePath'],
    [{ Type: 'PostgreSQL', Config: ['hush'] }, 'Settings.Config'],
    [{ Type: 'PostgreSQL', Config: 'hush' }, 'Settings.Config'],
  ])('%j is refused, and no secret is repeated', (settings, reason) => {
    expect(() => databaseAt(settings)).toThrow(
      expect.objectContaining({
        code: 'INVALID_MESSAGE',
        message: expect.stringContaining(reason) as string,
      }) as Error,
    );
    expect(() => databaseAt(settings)).not.toThrow('hush');
  });

  test('a secret is never shown again: not in replies, errors, presence, lists; its file is private', async () => {
    const folder = tempFolder();
    const { connections } = await start({ folder });
    const settings = {
      Name: 'Far',
      Type: 'PostgreSQL',
      Config: { Server: '127.0.0.1', Port: 1, User: 'ann', Password: 'hu/sh', Database: 'd' },
    };
    const failed = await createConnection(connections, settings).catch((error: unknown) => error);
    expect(failed).toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('nothing was kept') as string,
    });
    const told = JSON.stringify([
      await listConnections(connections),
      await connections.presence(),
      String(failed),
    ]);
    expect(told).not.toMatch(/hu\/sh|hu%2Fsh|other/);
    expect(connections.all()).toHaveLength(1);
    expect(statSync(joinPath(folder, 'beacon.db')).mode & 0o777).toBe(0o600);
  });

  test('a driver that quotes the secret is cut short', () => {
    expect(withoutSecret('login hu/sh or hu%2Fsh failed', 'postgres://ann:hu%2Fsh@h/d')).toBe(
      'login *** or *** failed',
    );
    expect(withoutSecret('no such file', 'sqlite:/x')).toBe('no such file');
  });

  test('the beacon’s own file is no database to be had, under no name', async () => {
    const folder = tempFolder();
    const { connections } = await start({ folder });
    const own = joinPath(folder, 'beacon.db');
    linkSync(own, joinPath(folder, 'hard.db'));
    symlinkSync(own, joinPath(folder, 'soft.db'));
    for (const path of [
      own,
      joinPath(folder, 'hard.db'),
      joinPath(folder, 'soft.db'),
      joinPath(folder, 'x', '..', 'beacon.db'),
      `${own}-wal`,
    ]) {
      await expect(
        createConnection(connections, { Name: 'Own', Type: 'SQLite', Config: path }),
      ).rejects.toMatchObject({
        code: 'INVALID_MESSAGE',
        message: expect.stringContaining('own') as string,
      });
    }
    expect(connections.all()).toHaveLength(1);
  });
});
