/**
 * The test kit itself: a private server starts, is killed without warning, starts again on the same
 * port and data, and leaves nothing.
 */
import { describe, expect, test } from 'vitest';
import { TestMariadb } from '../kit/servers/mariadb.ts';
import { TestPostgres } from '../kit/servers/postgres.ts';

describe.for([
  { name: 'PostgreSQL', start: () => TestPostgres.start() },
  { name: 'MariaDB', start: () => TestMariadb.start() },
])('a private $name', ({ start }) => {
  test('keeps what was committed over SIGKILL, on the same port', async () => {
    await using server = await start();
    const database = await server.createDatabase();
    await server.query('create table "T" ("A" varchar(8), "D" timestamp(3) null)', database);
    await server.query(`insert into "T" values ('kept', '2026-11-21 08:00:00.123')`, database);
    const url = server.url(database);
    await server.kill();
    await expect(server.query('select 1', database)).rejects.toThrow();
    await server.start();
    expect(server.url(database)).toBe(url);
    expect(await server.query('select "A", "D" from "T"', database)).toEqual([
      { A: 'kept', D: '2026-11-21T08:00:00.123Z' },
    ]);
    expect(await server.createDatabase()).not.toBe(database);
  });

  test('two at once have nothing in common', async () => {
    await using one = await start();
    await using other = await start();
    const [first, second] = [await one.createDatabase(), await other.createDatabase()];
    await one.query('create table "T" ("A" integer)', first);
    await expect(other.query('select * from "T"', second)).rejects.toThrow(/T/);
  });
});
