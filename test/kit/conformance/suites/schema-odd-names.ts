/** The schema manager with odd names, sizes and defaults. */
import { expect, test } from 'vitest';
import { persistenceSchema, type SchemaDescriptor } from '../../../../contracts/schema.ts';
import { ensureSchema } from '../../../../beacon/capabilities/schema-manager.ts';
import type { RunningBackend } from '../backends.ts';
import { Desk, openFor } from '../desk.ts';
import { nothing } from './schema-facts.ts';

export function oddTests(backend: () => RunningBackend): void {
  const text = 'it\'s "odd" \\ \\\' %s ? $1 \u{1F600}';
  const descriptor: SchemaDescriptor = {
    Tables: [
      {
        Scope: 'order',
        Schema: [
          { Column: 'IDorder', Type: 'AutoIdentity' },
          { Column: 'HubID', Type: 'String', Size: '64' },
          { Column: 'Key', Type: 'String', Size: '100' },
          { Column: 'select', Type: 'String', Size: '64' },
          { Column: 'Group', Type: 'Integer' },
          { Column: 'Long', Type: 'String', Size: '20000' },
          { Column: 'Free', Type: 'String', Size: 'Default' },
          { Column: 'Doc', Type: 'JSON' },
          { Column: 'When', Type: 'DateTime' },
          { Column: 'Rate', Type: 'Float', Nullable: false },
          { Column: 'BridgeSeq', Type: 'BigInteger' },
          { Column: 'Deleted', Type: 'Deleted' },
        ],
        DefaultObject: { select: text, Free: text, Group: -7, Rate: 0.1234, Doc: '{"a":"\'"}' },
        Indexes: [
          { Name: 'IX_order', Columns: ['HubID', 'Key'], Unique: true },
          { Name: 'IX_group', Columns: ['Group', 'select'] },
        ],
      },
    ],
  };

  test('is made as it says', async () => {
    const place = await backend().fresh();
    const { engine } = openFor(place);
    expect(await ensureSchema(engine, 'odd', descriptor)).toMatchObject({
      TablesCreated: ['order'],
      IndicesCreated: ['IX_order', 'IX_group'],
    });
    expect(await ensureSchema(engine, 'odd', descriptor)).toMatchObject(nothing);
    await place.query(`insert into "order" ("HubID", "Key") values ('hub1', 'plain')`);
    const d = new Desk(engine, place, 'hub1');
    const long = '\u{1F600}'.repeat(20_000);
    const write = {
      Op: 'write' as const,
      Table: 'order',
      Key: { HubID: 'hub1', Key: 'k' },
      Seq: 1,
      Set: { Long: long, When: '2026-11-21T08:00:00.000Z' },
    };
    const defaults = new Map([['order', descriptor.Tables[0]?.DefaultObject ?? {}]]);
    expect(
      await engine
        .apply({ ...d.batch([write]), defaults, lane: 'queue' })
        .catch((error: unknown) => error),
    ).toMatchObject({ code: 'UNAVAILABLE' });
    await ensureSchema(engine, 'ultravisor', persistenceSchema);
    expect((await engine.apply({ ...d.batch([write]), defaults })).Results).toEqual([
      { Outcome: 'applied' },
    ]);
    expect(
      await place.query(
        'select "Key", "select", "Free", "Group", "Rate", "Doc", "Long" from "order" order by "IDorder"',
      ),
    ).toEqual([
      {
        Key: 'plain',
        select: text,
        Free: text,
        Group: -7,
        Rate: 0.1234,
        Doc: '{"a":"\'"}',
        Long: '',
      },
      {
        Key: 'k',
        select: text,
        Free: text,
        Group: -7,
        Rate: 0.1234,
        Doc: '{"a":"\'"}',
        Long: long,
      },
    ]);
  });
}
