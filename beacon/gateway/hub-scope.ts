/**
 * What may be asked for a hub, on the subjects that name it: its own rows, and nothing that takes
 * away from others. Bus permissions bind who may use the subject; this binds what it can do there.
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
  /** The hub its subject names; null for an operator's question. */
  hub: string | null;
};

/**
 * @param acceptsUnscoped whether batches may come without a hub in their subject
 * @throws TidemarkError FORBIDDEN
 */
export function insistOnHub(
  { capability, action, settings, hub }: ScopedRequest,
  acceptsUnscoped: boolean,
): void {
  if (hub === null) {
    if (capability === capabilities.batch && !acceptsUnscoped)
      throw forbidden(
        `${capability}.${action} is asked on a subject that ends with the hub; a beacon started ` +
          'with --accept-unscoped takes it without, as workers of 0.1.0 ask',
      );
    return;
  }
  const { HubID: named } = settings;
  if (named !== undefined && named !== hub)
    throw forbidden(`Settings.HubID is not ${hub}, the hub of the subject`);
  const rule = rules[capability]?.[action];
  if (rule === undefined)
    throw forbidden(`${capability}.${action} is not for hubs; an operator asks it without a hub`);
  rule(settings, hub);
}

type Rule = (settings: Settings, hub: string) => void;

const anything: Rule = () => undefined;

/** Only tables that all hubs have in common. */
const namedTable: Rule = ({ TableName: name }) => {
  if (name !== undefined) insistOnTable(name, 'Settings.TableName');
};

/** What a worker asks for its hub, and what of it is refused; a shape is looked at by the action. */
const rules: Readonly<Record<string, Readonly<Record<string, Rule>>>> = {
  [capabilities.batch]: { Apply: ownMutations, Mark: anything },
  // Rows are bound where they are read and written.
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
    throw forbidden(`${path}: a hub touches ${[...tables.keys()].join(', ')} and no other table`);
}

const ops: ReadonlySet<unknown> = new Set([
  'insert',
  'write',
  'delete',
] satisfies RowMutation['Op'][]);

/** Rows of the hub itself, found by keys that are its own. */
function ownMutations({ Mutations: list }: Settings, hub: string): void {
  if (!Array.isArray(list)) return;
  list.forEach((mutation, at) => {
    if (!isJsonObject(mutation)) return;
    const path = `Settings.Mutations[${at}]`;
    const { Table, Key, Op, Set: set, Fill, Merge } = mutation;
    // What is no mutation is refused as such, with the whole batch.
    if (typeof Table !== 'string' || !isJsonObject(Key) || !ops.has(Op)) return;
    if (!rowTables.has(Table))
      throw forbidden(`${path}.Table: a hub writes ${[...rowTables].join(', ')} and no other`);
    const inKey = hubIn(Key);
    // A key without a hub may be that of another hub's row: it makes a row, and changes none.
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

/** Tables of the persistence schema, and nothing in them that binds other hubs. */
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

/** A unique index over what hubs share would keep the rows of others out. */
function ownIndexes({ Scope, Indexes: list }: JsonObject): void {
  const known = tables.get(String(Scope))?.Indexes ?? [];
  for (const index of Array.isArray(list) ? list : []) {
    if (!isJsonObject(index) || index['Unique'] !== true) continue;
    const columns = JSON.stringify(index['Columns']);
    if (known.some((one) => one.Unique && JSON.stringify(one.Columns) === columns)) continue;
    throw forbidden(
      `${String(Scope)}: a unique index over ${columns} binds the rows of other hubs`,
    );
  }
}

/** What rows are given where nothing is said, those of other hubs too. */
function ownDefaults({ Scope, DefaultObject: given }: JsonObject): void {
  const known = tables.get(String(Scope))?.DefaultObject ?? {};
  for (const [name, value] of Object.entries(isJsonObject(given) ? given : {})) {
    if (Object.hasOwn(known, name) && JSON.stringify(known[name]) !== JSON.stringify(value))
      throw forbidden(`${String(Scope)}.${name}: a hub does not change a default of all`);
  }
}

function ownPaths({ PathAllowlist: list, ...others }: Settings): void {
  const changed = Object.keys(others).filter(
    (name) => name !== 'HubID' && others[name] !== undefined,
  );
  if (changed.length > 0)
    throw forbidden(`Settings.${changed.join(', ')}: a hub does not change the proxy of all`);
  if (Array.isArray(list) && list.some((pattern) => pattern !== persistencePaths))
    throw forbidden(`Settings.PathAllowlist: a hub has ${persistencePaths} let through, no other`);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
