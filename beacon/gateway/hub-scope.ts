/**
 * What a hub may do on the subjects that name it: use its own rows, and nothing that affects other
 * hubs. Bus permissions decide who may use a subject; this decides what can be done there.
 */
import { capabilities, persistencePaths } from '../../contracts/capability.ts';
import { TidemarkError } from '../../contracts/errors.ts';
import { isJsonObject, type JsonObject } from '../../contracts/body/json-value.ts';
import type { RowMutation } from '../../contracts/mutation.ts';
import { laneTables, persistenceSchema, type TableDescriptor } from '../../contracts/schema.ts';
import type { Settings } from '../settings.ts';

const rowTables: ReadonlySet<string> = new Set(Object.values(laneTables).flat());
const tables: ReadonlyMap<string, TableDescriptor> = new Map(
  persistenceSchema.Tables.map((table) => [table.Scope, table]),
);

export function forbidden(reason: string): TidemarkError {
  return new TidemarkError('FORBIDDEN', reason);
}

export type ScopedRequest = {
  capability: string;
  action: string;
  settings: Settings;
  /** The hub named by the subject; null for an operator's request. */
  hub: string | null;
};

/**
 * @param acceptsUnscoped whether batches may come on subjects without a hub
 * @throws TidemarkError FORBIDDEN
 */
export function insistOnHub(
  { capability, action, settings, hub }: ScopedRequest,
  acceptsUnscoped: boolean,
): void {
  if (hub === null) {
    if (capability === capabilities.batch && !acceptsUnscoped)
      throw forbidden(
        `${capability}.${action} must be sent on a subject that ends with the hub; a beacon started ` +
          'with --accept-unscoped takes it without, as workers of 0.1.0 send it',
      );
    return;
  }
  const { HubID: named } = settings;
  if (named !== undefined && named !== hub)
    throw forbidden(`Settings.HubID is not ${hub}, the hub of the subject`);
  const rule = rules[capability]?.[action];
  if (rule === undefined)
    throw forbidden(`${capability}.${action} is not for hubs; operators send it without a hub`);
  rule(settings, hub);
}

type Rule = (settings: Settings, hub: string) => void;

const anything: Rule = () => undefined;

/** Only tables that all hubs share. */
const namedTable: Rule = ({ TableName: name }) => {
  if (name !== undefined) insistOnTable(name, 'Settings.TableName');
};

/**
 * The actions a worker may use for its hub, with a check for each. The shape of Settings is left to
 * the action.
 */
const rules: Readonly<Record<string, Readonly<Record<string, Rule>>>> = {
  [capabilities.batch]: { Apply: ownMutations, Mark: anything },
  // Restricted per row, where rows are read and written.
  [capabilities.proxy]: { Request: anything },
  [capabilities.schema]: {
    EnsureSchema: ownSchema,
    PlanSchema: ownSchema,
    IntrospectSchema: ownSchema,
  },
  [capabilities.management]: {
    Introspect: namedTable,
    IntrospectMeadowPackage: namedTable,
    EnableEndpoint: namedTable,
    UpdateProxyConfig: ownPaths,
  },
  [capabilities.access]: { ListConnections: anything },
};

function insistOnTable(name: unknown, path: string): void {
  if (typeof name !== 'string' || !tables.has(name))
    throw forbidden(`${path}: a hub may use ${[...tables.keys()].join(', ')} and no other table`);
}

const ops: ReadonlySet<unknown> = new Set([
  'insert',
  'write',
  'delete',
] satisfies RowMutation['Op'][]);

/** Only rows of the hub itself, identified by keys that contain the hub. */
function ownMutations({ Mutations: list }: Settings, hub: string): void {
  if (!Array.isArray(list)) return;
  list.forEach((mutation, at) => {
    if (!isJsonObject(mutation)) return;
    const path = `Settings.Mutations[${at}]`;
    const { Table, Key, Op, Set: set, Fill, Merge } = mutation;
    // An invalid mutation is refused later, with the whole batch.
    if (typeof Table !== 'string' || !isJsonObject(Key) || !ops.has(Op)) return;
    if (!rowTables.has(Table))
      throw forbidden(`${path}.Table: a hub may write ${[...rowTables].join(', ')} and no other`);
    const inKey = hubIn(Key);
    // A key without the hub may match another hub's row, so it may only insert, never change.
    const isOwn = inKey === undefined ? Op === 'insert' && hubIn(set) === hub : inKey === hub;
    const isMoved = [set, Fill, Merge].some(
      (part) => ![undefined, hub].includes(hubIn(part) as string),
    );
    if (!isOwn || isMoved) throw forbidden(`${path}: not a row of ${hub}, the hub of the subject`);
  });
}

function hubIn(row: unknown): unknown {
  return isJsonObject(row) ? row['HubID'] : undefined;
}

/** Only tables of the persistence schema, and nothing in them that restricts other hubs. */
function ownSchema({ SchemaJSON: given }: Settings): void {
  const schema = typeof given === 'string' ? parsed(given) : given;
  const list = isJsonObject(schema) ? schema['Tables'] : null;
  if (!Array.isArray(list)) return;
  for (const table of list) {
    if (!isJsonObject(table)) continue;
    insistOnTable(table['Scope'], 'Settings.SchemaJSON');
    ownIndexes(table);
    ownDefaults(table);
  }
}

/** A unique index over shared columns would reject rows of other hubs. */
function ownIndexes({ Scope, Indexes: list }: JsonObject): void {
  const known = tables.get(String(Scope))?.Indexes ?? [];
  for (const index of Array.isArray(list) ? list : []) {
    if (!isJsonObject(index) || index['Unique'] !== true) continue;
    const columns = JSON.stringify(index['Columns']);
    if (known.some((one) => one.Unique && JSON.stringify(one.Columns) === columns)) continue;
    throw forbidden(
      `${String(Scope)}: a unique index over ${columns} would restrict the rows of other hubs`,
    );
  }
}

/** Defaults apply to rows of other hubs too, so a hub must not change them. */
function ownDefaults({ Scope, DefaultObject: given }: JsonObject): void {
  const known = tables.get(String(Scope))?.DefaultObject ?? {};
  for (const [name, value] of Object.entries(isJsonObject(given) ? given : {})) {
    if (Object.hasOwn(known, name) && JSON.stringify(known[name]) !== JSON.stringify(value))
      throw forbidden(`${String(Scope)}.${name}: a hub may not change a default for all hubs`);
  }
}

function ownPaths({ PathAllowlist: list, ...others }: Settings): void {
  const changed = Object.keys(others).filter(
    (name) => name !== 'HubID' && others[name] !== undefined,
  );
  if (changed.length > 0)
    throw forbidden(`Settings.${changed.join(', ')}: a hub may not change the proxy for all hubs`);
  if (Array.isArray(list) && list.some((pattern) => pattern !== persistencePaths))
    throw forbidden(`Settings.PathAllowlist: a hub may allow ${persistencePaths} and nothing else`);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
