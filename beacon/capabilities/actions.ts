/** The actions of each capability, tied to the databases. */
import { capabilities } from '../../contracts/capability.ts';
import { TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import { type Clock } from '../../runtime/clock.ts';
import { aggregate, join } from './access-groups.ts';
import { listConnections, listTables, queryTable, readRecords } from './access.ts';
import { batchActions } from './batch-actions.ts';
import type { Connections } from '../databases/connections.ts';
import type { DefaultObject } from '../engine/engine.ts';
import type { Actions } from '../gateway/gateway.ts';
import type { RequestContext } from '../gateway/request.ts';
import {
  createConnection,
  disableEndpoint,
  enableEndpoint,
  introspect,
  introspectPackage,
} from './management.ts';
import type { Proxy } from './proxy.ts';
import { ensureSchema, introspectSchema, planSchema } from './schema-manager.ts';
import { decodeDescriptor } from './schema-settings.ts';
import { connectionAt, type Settings } from '../settings.ts';

/** What the actions work on. `onChange` is called when presence has something new to say. */
export type Parts = {
  connections: Connections;
  proxy: Proxy;
  clock: Clock;
  isBatchOn: boolean;
  onChange: () => void;
};

export function databaseActions(parts: Parts): Actions {
  return {
    ...(parts.isBatchOn ? { [capabilities.batch]: batchActions(parts) } : {}),
    [capabilities.proxy]: {
      Request: (settings, context) => proxyRequest(parts, settings, context),
    },
    [capabilities.schema]: schemaActions(parts),
    [capabilities.management]: managementActions(parts),
    [capabilities.access]: accessActions(parts),
  };
}

function proxyRequest(
  { proxy }: Parts,
  settings: Settings,
  context: RequestContext,
): Promise<unknown> {
  const { RemoteUser: user } = settings;
  const who = typeof user === 'string' && user !== '' ? { user } : {};
  const { timeoutMs, hub } = context;
  return proxy.request(settings, timeoutMs, (note) => context.audit({ ...who, ...note }), hub);
}

function schemaActions({ connections, onChange }: Parts): Actions[string] {
  const nameOf = (settings: Settings) =>
    typeof settings['SchemaName'] === 'string'
      ? settings['SchemaName'].slice(0, limits.remoteUserCharsMax)
      : 'unnamed';
  return {
    EnsureSchema: async (settings, context) => {
      const connection = connections.get(connectionAt(settings));
      const descriptor = decodeDescriptor(settings);
      const outputs = await ensureSchema(connection.engine, nameOf(settings), descriptor);
      connections.rememberDefaults(
        connection,
        new Map<string, DefaultObject>(
          descriptor.Tables.map((table) => [table.Scope, table.DefaultObject ?? {}]),
        ),
      );
      context.audit({
        table: nameOf(settings),
        count: outputs.MigrationStatements.length,
        detail: outputs.MigrationStatements.join('; '),
      });
      if (outputs.MigrationStatements.length > 0) onChange();
      return outputs;
    },
    PlanSchema: (settings) =>
      planSchema(
        connections.get(connectionAt(settings)).engine,
        nameOf(settings),
        decodeDescriptor(settings),
      ),
    IntrospectSchema: (settings) =>
      introspectSchema(
        connections.get(connectionAt(settings)).engine,
        nameOf(settings),
        decodeDescriptor(settings),
      ),
  };
}

function managementActions({ connections, proxy, onChange }: Parts): Actions[string] {
  const at = (settings: Settings) => connections.get(connectionAt(settings));
  return {
    Introspect: (settings, { hub }) => introspect(at(settings), settings, hub),
    IntrospectMeadowPackage: (settings) => introspectPackage(at(settings), settings),
    EnableEndpoint: (settings) => enableEndpoint(connections, at(settings), settings),
    DisableEndpoint: (settings) => disableEndpoint(connections, at(settings), settings),
    UpdateProxyConfig: (settings, context) => {
      const outputs = proxy.updateConfig(settings);
      context.audit({
        count: outputs.PatternsAdded,
        detail: `writes ${outputs.ActiveConfig.AllowWrites ? 'on' : 'off'}, ${outputs.PatternsAdded} patterns added`,
      });
      return outputs;
    },
    CreateConnection: async (settings, context) => {
      if (!proxy.allowWrites)
        throw new TidemarkError(
          'INVALID_MESSAGE',
          'CreateConnection: writes are disabled on this beacon.',
        );
      const outputs = await createConnection(connections, settings);
      context.audit({
        connection: Number(outputs['IDBeaconConnection']),
        detail: `${String(outputs['Name'])}: ${outputs['Created'] === true ? 'created' : 'known'}`,
      });
      onChange();
      return outputs;
    },
  };
}

function accessActions({ connections }: Parts): Actions[string] {
  const at = (settings: Settings) => connections.get(connectionAt(settings));
  return {
    ListConnections: () => listConnections(connections),
    ListTables: (settings) => listTables(at(settings)),
    ReadRecords: (settings) => readRecords(at(settings), settings),
    QueryTable: (settings, context) => {
      context.audit({ detail: String(settings['SQL']) });
      return queryTable(at(settings), settings, context.timeoutMs);
    },
    Aggregate: (settings) => aggregate(at(settings), settings),
    Join: (settings) => join(at(settings), settings),
  };
}
