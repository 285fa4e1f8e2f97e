/** List filters to row queries: what is refused and under which path, orders, positions. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeEnvelope } from '../../contracts/envelope.ts';
import { limits } from '../../contracts/limits.ts';
import { encodeNext, eventsQuery, keysQuery, listQuery } from '../../bridges/read-query.ts';
import { queryPath } from '../../worker/beacons/meadow-path.ts';

const items = (filter?: object) => {
  const envelope = decodeEnvelope(
    { Settings: filter ? { Filter: filter } : {} },
    'queue',
    'QP_ListWorkItems',
  );
  return listQuery('QP_ListWorkItems', 'h', envelope.settings);
};
const manifests = (filter: object) =>
  listQuery(
    'MS_ListManifests',
    'h',
    decodeEnvelope({ Settings: { Filter: filter } }, 'manifest', 'MS_ListManifests').settings,
  );

describe('list queries', () => {
  test('nothing said: oldest first, ties by hash, 500', () => {
    expect(items()).toEqual({
      Table: 'UVQueueWorkItem',
      Terms: [{ Column: 'HubID', Values: ['h'] }],
      Limit: limits.listRowsDefault,
      Order: [
        { Column: 'EnqueuedAt', IsDescending: false },
        { Column: 'WorkItemHash', IsDescending: false },
      ],
    });
    expect(manifests({}).Order).toEqual([
      { Column: 'StartTime', IsDescending: false },
      { Column: 'Hash', IsDescending: false },
    ]);
  });

  test('defect 32: every filter, the limit and the order are in the query', () => {
    const { Terms, Limit, Order } = items({
      Status: ['Pending', 'Running'],
      AssignedBeaconID: 'b',
      RunID: 'r',
      Capability: 'c',
      OperationHash: 'o',
      Limit: 7,
      OrderBy: 'Priority DESC',
    });
    expect(Terms.slice(1)).toEqual([
      { Column: 'Status', Values: ['Pending', 'Running'] },
      { Column: 'AssignedBeaconID', Values: ['b'] },
      { Column: 'RunID', Values: ['r'] },
      { Column: 'Capability', Values: ['c'] },
      { Column: 'OperationHash', Values: ['o'] },
    ]);
    expect(Limit).toBe(7);
    expect(Order).toEqual([
      { Column: 'Priority', IsDescending: true },
      { Column: 'WorkItemHash', IsDescending: true },
    ]);
  });

  test('defect 33: an order is a column, "-Col", "Col DESC" or "Col asc"', () => {
    const first = (orderBy: string) => items({ OrderBy: orderBy }).Order[0];
    expect(first('-EnqueuedAt')).toEqual({ Column: 'EnqueuedAt', IsDescending: true });
    expect(first('EnqueuedAt DESC')).toEqual({ Column: 'EnqueuedAt', IsDescending: true });
    expect(first(' EnqueuedAt asc ')).toEqual({ Column: 'EnqueuedAt', IsDescending: false });
    expect(first('-EnqueuedAt DESC')).toEqual({ Column: 'EnqueuedAt', IsDescending: false });
    expect(items({ OrderBy: '-WorkItemHash' }).Order).toEqual([
      { Column: 'WorkItemHash', IsDescending: true },
    ]);
  });

  test.each([
    ['an unknown column', { OrderBy: 'Nonsense' }, 'Settings.Filter.OrderBy'],
    ['SQL as an order', { OrderBy: 'EnqueuedAt; drop table x' }, 'Settings.Filter.OrderBy'],
    ['a column that may be null', { OrderBy: 'Health' }, 'Settings.Filter.OrderBy'],
    ['a name that objects inherit', { OrderBy: 'constructor' }, 'Settings.Filter.OrderBy'],
    ['an order that is a number', { OrderBy: 5 }, 'Settings.Filter.OrderBy'],
    ['an unknown filter key', { Foo: 'x' }, 'Settings.Filter.Foo'],
    ['a limit of 0', { Limit: 0 }, 'Settings.Filter.Limit'],
    ['a limit above the bound', { Limit: limits.listRowsMax + 1 }, 'Settings.Filter.Limit'],
    ['an empty list of values', { Status: [] }, 'Settings.Filter.Status'],
    ['a position that is none', { After: 'x' }, 'Settings.Filter.After'],
    [
      'a position of another order',
      {
        After: encodeNext(items({ OrderBy: '-EnqueuedAt' }).Order, {
          EnqueuedAt: 'a',
          WorkItemHash: 'b',
        }),
      },
      'Settings.Filter.After',
    ],
    [
      'a position of objects',
      {
        After: Buffer.from(JSON.stringify(['EnqueuedAt,WorkItemHash', {}, []])).toString(
          'base64url',
        ),
      },
      'Settings.Filter.After',
    ],
  ])('%s is refused with its path', (_what, filter, path) => {
    expect(() => items(filter)).toThrow(
      expect.objectContaining({ code: 'INVALID_MESSAGE', message: expect.stringContaining(path) }),
    );
  });

  test('a filter of the other lane is refused', () => {
    expect(() => manifests({ AssignedBeaconID: 'b' })).toThrow(
      expect.objectContaining({ code: 'INVALID_MESSAGE' }),
    );
  });

  test('Next of a page is the After of the one behind it, whatever the values', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 40 }).filter((text) => text.isWellFormed()),
        fc.integer(),
        (hash, priority) => {
          const { Order } = items({ OrderBy: '-Priority' });
          const After = encodeNext(Order, { Priority: priority, WorkItemHash: hash, Status: 'x' });
          expect(items({ OrderBy: '-Priority', After }).After).toEqual([priority, hash]);
        },
      ),
    );
  });
});

describe('paths — defect 37: no text of a hub is read as filter', () => {
  /** The parts a gateway sees: split at the tilde, decoded afterwards. */
  const values = (path: string) =>
    (path.split('/FilteredTo/')[1] ?? '').split('/')[0]?.split('~').map(decodeURIComponent) ?? [];

  test('a value stays one value', () => {
    fc.assert(
      fc.property(
        fc
          .string({ unit: 'grapheme', minLength: 1, maxLength: 60 })
          .filter((text) => text.isWellFormed()),
        (hash) => {
          const parts = values(queryPath('/1.0/c/T', keysQuery('UVQueueWorkItem', 'h', [hash])));
          expect(parts.slice(4, 8)).toEqual(['FBV', 'WorkItemHash', 'EQ', hash]);
          expect(parts.length % 4).toBe(0);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('the text that changed another row at the incumbent', () => {
    const path = queryPath(
      '/1.0/c/T',
      keysQuery('UVQueueWorkItem', 'h', ['nosuch~FBVOR~Status~EQ~Pending']),
    );
    expect(path).not.toContain('~FBVOR');
    expect(values(path)[7]).toBe('nosuch~FBVOR~Status~EQ~Pending');
  });

  test('values of a list are told apart although they hold commas', () => {
    const path = queryPath('/1.0/c/T', keysQuery('UVManifest', 'h', ['a,b', 'c']));
    expect(path).toContain('INN~a%2Cb,c');
  });

  test('events are read by hub and hash, in their order, up to the limit', () => {
    expect(queryPath('/1.0/c/E', eventsQuery('h', 'w', 9))).toBe(
      '/1.0/c/Es/FilteredTo/FBV~HubID~EQ~h~FBV~WorkItemHash~EQ~w' +
        '~FSF~EmittedAt~ASC~0~FSF~Seq~ASC~0~FSF~BridgeSeq~ASC~0/0/9',
    );
  });
});
