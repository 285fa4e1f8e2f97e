/** A foreign databeacon on SQLite with its quirks, and the MeadowProxy carrier delivering to it. */
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { onTestFinished } from 'vitest';
import type { WriteEnvelope } from '../../../contracts/envelope.ts';
import { Bus } from '../../../runtime/bus/bus.ts';
import { type Quirk, QuirkyBeacon } from '../quirky/quirky-beacon.ts';
import { serveQuirky } from '../quirky/quirky-beacon-bus.ts';
import { folderOfTest, silent } from './fixture.ts';
import { World } from './with-beacon.ts';

type Rig = {
  world: World;
  path: string;
  settle: (...envelopes: WriteEnvelope[]) => Promise<void>;
  rows: (sql: string) => Record<string, unknown>[];
};

/** @param prepare makes what is in the database before the beacon opens it */
export async function start({
  quirks = [] as Quirk[],
  prepare = (_path: string): Promise<void> => Promise.resolve(),
} = {}): Promise<Rig> {
  const world = await World.start();
  onTestFinished(() => world[Symbol.asyncDispose]());
  const path = join(folderOfTest().path, 'theirs.sqlite');
  await prepare(path);
  const beacon = new QuirkyBeacon(path, quirks);
  const bus = await Bus.connect({ servers: world.nats.url, name: 'theirs' }, silent);
  const stop = await serveQuirky(beacon, bus, 'theirs');
  onTestFinished(async () => {
    await stop();
    await bus.close();
    beacon.close();
  });
  await world.assign('theirs');
  const settle = async (...envelopes: WriteEnvelope[]) => {
    await world.accept(...envelopes);
    await world.drained();
    await world.forget();
  };
  const rows = (sql: string) => {
    const database = new Database(path);
    try {
      return database.prepare(sql).all() as Record<string, unknown>[];
    } finally {
      database.close();
    }
  };
  return { world, path, settle, rows };
}
