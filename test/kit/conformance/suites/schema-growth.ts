/** The schema manager on a database that has tables already, older or altered by others. */
import { expect, test } from 'vitest';
import { TidemarkError } from '../../../../contracts/errors.ts';
import {
  persistenceSchema,
  type SchemaDescriptor,
  type TableDescriptor,
} from '../../../../contracts/schema.ts';
import { ensureSchema } from '../../../../beacon/capabilities/schema-manager.ts';
import type { RunningBackend } from '../backends.ts';
import { Desk, freshDesk, openFor } from '../desk.ts';
import { nothing } from './schema-facts.ts';

function tableOf(scope: string): TableDescriptor {
  const table = persistenceSchema.Tables.find((one) => one.Scope === scope);
  if (!table) throw new Error(`no table ${scope}`);
  return table;
}

export function growthTests(backend: () => RunningBackend): void {
  const event = tableOf('UVQueueWorkItemEvent');
  const wider: SchemaDescriptor = {
    Tables: [
      {
        ...event,
        Schema: [
          ...event.Schema,
          { Column: 'Colour', Type: 'String', Size: '16' },
          { Column: 'Weight', Type: 'Float' },
          { Column: 'Note', Type: 'String', Size: 'Default' },
          { Column: 'IsRound', Type: 'Boolean' },
          { Column: 'Sum', Type: 'BigInteger' },
        ],
        DefaultObject: { ...event.DefaultObject, Colour: 'grey' },
        Indexes: [
          ...(event.Indexes ?? []),
          { Name: 'IX_UVQueueEvent_Colour', Columns: ['Colour', 'EventType'] },
        ],
      },
      {
        Scope: 'UVQueueNote',
        Schema: [
          { Column: 'IDUVQueueNote', Type: 'AutoIdentity' },
          { Column: 'HubID', Type: 'String', Size: '64' },
          { Column: 'Name', Type: 'String', Size: '20' },
          { Column: 'BridgeSeq', Type: 'BigInteger' },
          { Column: 'Deleted', Type: 'Deleted' },
        ],
        Indexes: [{ Name: 'IX_UVQueueNote', Columns: ['HubID', 'Name'], Unique: true }],
      },
    ],
  };

  test('defect 50: columns, indexes, tables arrive with data in place, at once usable by those connected', async () => {
    const d = await freshDesk(backend());
    const other = new Desk(openFor(d.place).engine, d.place, 'hub2');
    await d.apply([d.event('e-1', 1, { EventType: 'old' })]);
    await other.apply([other.event('e-1', 1)]);
    const outputs = await ensureSchema(d.engine, 'x', wider);
    expect(outputs).toMatchObject({
      TablesCreated: ['UVQueueNote'],
      ColumnsAdded: ['Colour', 'Weight', 'Note', 'IsRound', 'Sum'].map(
        (name) => `UVQueueWorkItemEvent.${name}`,
      ),
      IndicesCreated: ['IX_UVQueueEvent_Colour', 'IX_UVQueueNote'],
    });
    expect(
      await d.outcomes([
        d.event('e-2', 2, { Colour: 'green', Weight: 0.5, Note: 'n', IsRound: true, Sum: 2 ** 40 }),
      ]),
    ).toEqual(['applied']);
    expect(
      await other.outcomes([
        other.event('e-2', 2, { Colour: 'blue' }),
        {
          Op: 'write',
          Table: 'UVQueueNote',
          Key: { HubID: 'hub2', Name: 'first' },
          Seq: 3,
          Set: {},
        },
      ]),
    ).toEqual(['applied', 'applied']);
    expect(
      await d.rows(
        'UVQueueWorkItemEvent',
        'EventType',
        'Colour',
        'Weight',
        'Note',
        'IsRound',
        'Sum',
      ),
    ).toEqual([
      { EventType: 'old', Colour: 'grey', Weight: null, Note: null, IsRound: 0, Sum: 0 },
      { EventType: '', Colour: 'green', Weight: 0.5, Note: 'n', IsRound: 1, Sum: 2 ** 40 },
    ]);
    expect(await ensureSchema(other.engine, 'x', wider)).toMatchObject(nothing);
  });

  test('a column made by somebody else can be written at once', async () => {
    const d = await freshDesk(backend());
    await d.apply([d.workItem('a', 1)]);
    expect((await d.apply([d.workItem('a', 2, { Colour: 'green' })])).Results).toMatchObject([
      { Outcome: 'rejected' },
    ]);
    await d.place.query(`alter table "UVQueueWorkItem" add "Colour" varchar(8)`);
    expect(await d.outcomes([d.workItem('a', 2, { Colour: 'green' })])).toEqual(['applied']);
    expect(await d.rows('UVQueueWorkItem', 'Colour')).toEqual([{ Colour: 'green' }]);
  });
}

export function leftTests(backend: () => RunningBackend): void {
  test('what would have to be altered is named and left', async () => {
    const place = await backend().fresh();
    await place.query(
      'create table "Thing" ("IDThing" integer not null primary key, "Name" varchar(8) ' +
        'not null, "Size" varchar(20), "Extra2" varchar(9)); create index "IX_Name" on ' +
        '"Thing" ("Extra2")',
    );
    await place.query(`insert into "Thing" values (1, 'one', 'big', 'kept')`);
    const { engine } = openFor(place);
    const outputs = await ensureSchema(engine, 'things', {
      Tables: [
        {
          Scope: 'Thing',
          Schema: [
            { Column: 'IDThing', Type: 'AutoIdentity' },
            { Column: 'Name', Type: 'String', Size: '64' },
            { Column: 'Size', Type: 'Integer' },
          ],
          Indexes: [{ Name: 'IX_Name', Columns: ['Name'] }],
        },
      ],
    });
    expect(outputs).toMatchObject({ TablesCreated: [], ColumnsAdded: [], IndicesCreated: [] });
    expect(outputs.SkippedDestructive).toEqual([
      'alter-column:Thing.Name',
      'alter-column:Thing.Size',
      'alter-index:IX_Name',
      'drop-column:Thing.Extra2',
    ]);
    expect(outputs.Notes.join()).toMatch(/left alone/);
    expect(await place.query('select * from "Thing"')).toEqual([
      { IDThing: 1, Name: 'one', Size: 'big', Extra2: 'kept' },
    ]);
  });

  test('defect 50: a refused migration says why, and once that is mended the next one completes it', async () => {
    const place = await backend().fresh();
    await place.query(
      'create table "UVQueueWorkItemEvent" ("EventGUID" varchar(36) not null); insert ' +
        `into "UVQueueWorkItemEvent" values ('same'), ('same')`,
    );
    const { engine } = openFor(place);
    const error = await ensureSchema(engine, 'ultravisor', persistenceSchema).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(TidemarkError);
    expect(error).toMatchObject({
      code: 'CONFLICT',
      message: expect.stringMatching(/unique|duplicate/i) as string,
    });
    // A MySQL commits each statement; the others take all of it back.
    if (backend().kind !== 'mysql')
      expect((await engine.introspect()).map((table) => table.name)).toEqual([
        'UVQueueWorkItemEvent',
      ]);
    await place.query('delete from "UVQueueWorkItemEvent"');
    await ensureSchema(engine, 'ultravisor', persistenceSchema);
    expect(await ensureSchema(engine, 'ultravisor', persistenceSchema)).toMatchObject({
      TablesCreated: [],
      ColumnsAdded: [],
      IndicesCreated: [],
      MigrationStatements: [],
    });
    const d = new Desk(engine, place, 'hub1');
    expect(
      (await d.apply([d.event('e', 1, { Payload: '{}' }), d.workItem('a', 2)])).Results,
    ).toEqual([{ Outcome: 'applied' }, { Outcome: 'applied' }]);
  });
}
