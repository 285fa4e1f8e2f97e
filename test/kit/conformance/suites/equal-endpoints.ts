/** A script of calls to table endpoints that two engines must answer alike. */
import { expect, test } from 'vitest';
import { listTables, readRecords } from '../../../../beacon/capabilities/access.ts';
import { introspect } from '../../../../beacon/capabilities/management.ts';
import type { RunningBackend } from '../backends.ts';
import { type Endpoints, endpointsFor } from '../endpoints.ts';

const T = 'UVQueueWorkItem';
const items = Array.from({ length: 12 }, (_, at) => ({
  HubID: at % 3 ? 'h1' : 'h2',
  WorkItemHash: ['a', 'B', 'c d', "e'", 'f~', 'g%'][at % 6] + String(at),
  Status: at % 2 ? 'Odd' : 'even',
  Priority: at - 4,
  Health: at / 3,
  CancelRequested: at % 4 === 0,
  Settings: { at, text: 'é\u{1F600}' },
  Result: at % 5 === 0 ? null : 'r',
  RetryAfter: at,
}));

/** Requests whose answers must not depend on the engine. */
const script: [method: string, path: string, body?: unknown][] = [
  ['POST', T, items[0]],
  ['POST', `${T}s`, items],
  ['POST', T, { ...items[1], Priority: 'high' }],
  ['POST', T, { Strange: 1 }],
  ['POST', T, { HubID: 'h', WorkItemHash: 'x'.repeat(129) }],
  ['GET', `${T}s`],
  ['GET', `${T}s/2/3`],
  ['GET', `${T}s/0/0`],
  ['GET', `${T}s/Count`],
  ['GET', `${T}/Schema`],
  ['GET', `${T}/Schema/New`],
  ['GET', `${T}Select`],
  ['GET', `${T}s/Lite`],
  ['GET', `${T}s/LiteExtended/Status,Priority`],
  ['GET', `${T}s/Distinct/Status`],
  ['GET', `${T}s/Distinct/Status,HubID/FilteredTo/FSF~Status~DESC~0`],
  ['GET', `${T}/Max/Health`],
  ['GET', `${T}s/FilteredTo/FBV~Priority~GT~1~FSF~WorkItemHash~DESC~0`],
  ['GET', `${T}s/FilteredTo/FBV~Status~LK~O%25~FSF~Priority~ASC~0/1/2`],
  ['GET', `${T}s/FilteredTo/FBV~Result~IN~`],
  ['GET', `${T}s/FilteredTo/FBV~Status~LK~o%25`],
  ['GET', `${T}s/FilteredTo/FBV~Status~NLK~EVEN`],
  ['GET', `${T}s/FilteredTo/FSF~Result~ASC~0`],
  ['GET', `${T}s/FilteredTo/FSF~Result~DESC~0`],
  ['GET', `${T}s/FilteredTo/FSF~CancelRequested~DESC~0~FSF~Health~DESC~0`],
  ['GET', `${T}s/FilteredTo/FBV~Health~EQ~1`],
  ['GET', `${T}s/FilteredTo/FDST~0~0~0`],
  ['GET', `${T}s/FilteredTo/FBV~CreateDate~EQ~2026-11-21T08:00:00.000Z/0/2`],
  ['GET', `${T}s/FilteredTo/FBD~CreateDate~EQ~2026-11-21/0/1`],
  ['GET', `${T}s/FilteredTo/FBV~Nope~EQ~1`],
  ['PUT', T, { Status: 'x' }],
  ['PUT', `${T}/Upsert`, { ...items[2], Status: 'Upserted' }],
  [
    'PUT',
    `${T}/Upserts`,
    [{ ...items[3], Status: 'Again' }, { HubID: 'h3', WorkItemHash: 'new' }, { Nope: 1 }],
  ],
  [
    'PUT',
    `${T}/Upserts/Detailed`,
    [
      { HubID: 'h3', WorkItemHash: 'new', Priority: 7 },
      { HubID: 'h3', WorkItemHash: 'y'.repeat(200) },
    ],
  ],
  ['POST', `${T}/Schema/Validate`, items[0]],
  ['GET', 'UVManifests'],
  [
    'POST',
    'UVManifest',
    { Hash: 'm', Live: true, ElapsedMs: 2 ** 40, ManifestJSON: { a: [1, null] } },
  ],
  ['POST', 'UVManifest', {}],
  ['GET', 'UVManifests'],
  ['GET', 'Nopes'],
  ['GET', `${T}s/By/WorkItemHash/new`],
  ['GET', `${T}s/By/CancelRequested/1/0/1`],
];

/** Numbers of rows differ where a row was refused, and so do the words of a refusal. */
function comparable(answer: unknown): unknown {
  return JSON.parse(
    JSON.stringify(answer, (key, member: unknown) => {
      if (key === 'Error' && typeof member === 'string') return 'some words';
      if (
        key === 'Code' ||
        key.startsWith('IDUV') ||
        (key === 'Hash' && typeof member === 'number')
      )
        return 'any';
      return key === 'Value' && typeof member === 'string'
        ? member.replace(/#\d+$/, '#any')
        : member;
    }),
  ) as unknown;
}

export function endpointTests(both: () => [RunningBackend, RunningBackend]): void {
  const openBoth = async (): Promise<[Endpoints, Endpoints]> => {
    const [one, other] = both();
    return [await endpointsFor(one), await endpointsFor(other)];
  };

  test('statuses and bodies of endpoints', async () => {
    const [reference, tested] = await openBoth();
    for (const [method, path, body] of script) {
      const [expected, found] = await Promise.all(
        [reference, tested].map(async (one) => comparable(await one.call(method, path, body))),
      );
      expect({ request: `${method} ${path}`, ...(found as object) }).toEqual({
        request: `${method} ${path}`,
        ...(expected as object),
      });
    }
  }, 60_000);

  test('tables, columns and records as management and access tell them', async () => {
    const opened = await openBoth();
    const told = await Promise.all(
      opened.map(async ({ connection, call }) => {
        await call('POST', `${T}s`, items);
        const { Tables } = await introspect(connection, {});
        return comparable({
          Columns: Tables.map((table) => [
            table.TableName,
            table.ColumnCount,
            table.Columns.map(
              ({ Name, MaxLength, Nullable, IsPrimaryKey, IsAutoIncrement, MeadowType }) => ({
                Name,
                MaxLength,
                Nullable,
                IsPrimaryKey,
                IsAutoIncrement,
                MeadowType,
              }),
            ),
          ]),
          Tables: await listTables(connection),
          Records: await readRecords(connection, { TableName: T, Begin: 1, Cap: 5 }),
        });
      }),
    );
    expect(told[1]).toEqual(told[0]);
  });
}
