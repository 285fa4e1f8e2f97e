/** What may be asked for a hub: its own rows, and nothing that takes away from others. */
import { describe, expect, test } from 'vitest';
import { persistencePaths } from '../../../contracts/capability.ts';
import { persistenceSchema } from '../../../contracts/schema.ts';
import { insistOnHub } from '../../../beacon/gateway/hub-scope.ts';
import type { Settings } from '../../../beacon/settings.ts';
import { event, hub, removal, workItem } from '../../kit/beacon/fixture.ts';

const ask =
  (capability: string, action: string, settings: Settings, for_: string | null = hub) =>
  () =>
    insistOnHub({ capability, action, settings, hub: for_ }, false);
const forbidden = expect.objectContaining({ code: 'FORBIDDEN' }) as Error;
const [items] = persistenceSchema.Tables;
const other = 'other';
const apply = (...Mutations: object[]): Settings => ({ HubID: hub, Lane: 'queue', Mutations });
const table = (more: object): Settings => ({ SchemaJSON: { Tables: [{ ...items, ...more }] } });

describe('what a worker does is let through', () => {
  test.each<[string, string, Settings]>([
    ['DataBeaconBatch', 'Apply', apply(workItem('a', 1), event('g', 2), removal('m', 3))],
    ['DataBeaconBatch', 'Mark', { HubID: hub, Lane: 'queue' }],
    ['MeadowProxy', 'Request', { Method: 'GET', Path: '/1.0/a/UVManifests' }],
    ['DataBeaconSchema', 'EnsureSchema', { SchemaJSON: persistenceSchema }],
    ['DataBeaconSchema', 'EnsureSchema', { SchemaJSON: JSON.stringify(persistenceSchema) }],
    ['DataBeaconManagement', 'Introspect', { IDBeaconConnection: 1 }],
    ['DataBeaconManagement', 'EnableEndpoint', { TableName: 'UVManifest' }],
    ['DataBeaconManagement', 'UpdateProxyConfig', { PathAllowlist: [persistencePaths] }],
    ['DataBeaconAccess', 'ListConnections', {}],
  ])('%s.%s', (capability, action, settings) => {
    expect(ask(capability, action, settings)).not.toThrow();
  });
});

describe('FORBIDDEN (I14)', () => {
  test.each<[what: string, string, string, Settings]>([
    ['another hub in Settings', 'DataBeaconBatch', 'Apply', { ...apply(), HubID: other }],
    ['a mark of another hub', 'DataBeaconBatch', 'Mark', { HubID: other, Lane: 'queue' }],
    [
      'a row of another hub',
      'DataBeaconBatch',
      'Apply',
      apply(workItem('a', 1, {}, { Key: { HubID: other, WorkItemHash: 'a' } })),
    ],
    [
      'a row given to another hub',
      'DataBeaconBatch',
      'Apply',
      apply(workItem('a', 1, { HubID: other })),
    ],
    [
      'a row given away by Fill',
      'DataBeaconBatch',
      'Apply',
      apply(workItem('a', 1, {}, { Fill: { HubID: other } })),
    ],
    ['an event of another hub', 'DataBeaconBatch', 'Apply', apply(event('g', 1, { HubID: other }))],
    [
      'an event that changes a row',
      'DataBeaconBatch',
      'Apply',
      apply(event('g', 1, {}, { Op: 'write' })),
    ],
    [
      'an event that removes a row',
      'DataBeaconBatch',
      'Apply',
      apply(event('g', 1, {}, { Op: 'delete' })),
    ],
    [
      'a table of others',
      'DataBeaconBatch',
      'Apply',
      apply(workItem('a', 1, {}, { Table: 'Accounts' })),
    ],
    [
      'a bad row behind a good one',
      'DataBeaconBatch',
      'Apply',
      apply(workItem('a', 1), workItem('b', 2, { HubID: other })),
    ],
    ['a schema of other tables', 'DataBeaconSchema', 'EnsureSchema', table({ Scope: 'Accounts' })],
    [
      'a schema of a name every object has',
      'DataBeaconSchema',
      'EnsureSchema',
      table({ Scope: 'constructor' }),
    ],
    [
      'a unique index over all hubs',
      'DataBeaconSchema',
      'EnsureSchema',
      table({ Indexes: [{ Name: 'X', Columns: ['Status'], Unique: true }] }),
    ],
    [
      'a default of all hubs',
      'DataBeaconSchema',
      'EnsureSchema',
      table({ DefaultObject: { Status: 'Owned' } }),
    ],
    ['a look at another table', 'DataBeaconManagement', 'Introspect', { TableName: 'Accounts' }],
    [
      'an endpoint of another table',
      'DataBeaconManagement',
      'EnableEndpoint',
      { TableName: 'Accounts' },
    ],
    [
      'taking an endpoint away',
      'DataBeaconManagement',
      'DisableEndpoint',
      { TableName: 'UVManifest' },
    ],
    ['a connection', 'DataBeaconManagement', 'CreateConnection', { Name: 'x' }],
    ['every path', 'DataBeaconManagement', 'UpdateProxyConfig', { PathAllowlist: ['.*'] }],
    ['writes for all', 'DataBeaconManagement', 'UpdateProxyConfig', { AllowWrites: false }],
    ['a smaller body for all', 'DataBeaconManagement', 'UpdateProxyConfig', { BodyBytesMax: 1 }],
    ['SQL', 'DataBeaconAccess', 'QueryTable', { SQL: 'select 1' }],
    ['rows of all', 'DataBeaconAccess', 'ReadRecords', { TableName: 'UVManifest' }],
  ])('%s', (_what, capability, action, settings) => {
    expect(ask(capability, action, settings)).toThrow(forbidden);
  });

  test('a batch that names no hub in its subject, unless the beacon was told to take it', () => {
    expect(ask('DataBeaconBatch', 'Apply', apply(), null)).toThrow(forbidden);
    const request = {
      capability: 'DataBeaconBatch',
      action: 'Apply',
      settings: apply(),
      hub: null,
    };
    expect(() => insistOnHub(request, true)).not.toThrow();
    expect(ask('DataBeaconManagement', 'DisableEndpoint', {}, null)).not.toThrow();
  });
});
