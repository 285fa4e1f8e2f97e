/**
 * The schema descriptor of a request, checked: anybody may send one, and its names end up in
 * statements.
 */
import { isJsonObject } from '../../contracts/body/json-value.ts';
import type {
  ColumnDescriptor,
  IndexDescriptor,
  Scalar,
  SchemaDescriptor,
  TableDescriptor,
} from '../../contracts/schema.ts';
import { bounds } from '../bounds.ts';
import { isBeaconTable } from '../engine/engine.ts';
import { listAt, objectAt, refuse, type Settings } from '../settings.ts';

const nameShape = /^[A-Za-z_][A-Za-z0-9_]{0,62}$/;

function nameAt(value: unknown, path: string): string {
  if (typeof value === 'string' && nameShape.test(value)) return value;
  throw refuse(path, 'a name of letters, digits and _ (at most 63 characters)', value);
}

/**
 * `Settings.SchemaJSON`, as an object or as its JSON text.
 * @throws TidemarkError INVALID_MESSAGE
 */
export function decodeDescriptor(settings: Settings): SchemaDescriptor {
  const given = settings['SchemaJSON'];
  const json = objectAt(typeof given === 'string' ? parsed(given) : given, 'Settings.SchemaJSON');
  const tables = listAt(json['Tables'], 'Settings.SchemaJSON.Tables', bounds.tablesMax);
  return { Tables: tables.map((table, at) => tableAt(table, `Settings.SchemaJSON.Tables[${at}]`)) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function tableAt(value: unknown, path: string): TableDescriptor {
  const table = objectAt(value, path);
  const scope = nameAt(table['Scope'], `${path}.Scope`);
  if (isBeaconTable(scope))
    throw refuse(`${path}.Scope`, "a name that is not the beacon's own", scope);
  const schema = listAt(table['Schema'], `${path}.Schema`, bounds.columnsMax).map((column, at) =>
    columnAt(column, `${path}.Schema[${at}]`),
  );
  if (schema.length === 0) throw refuse(`${path}.Schema`, 'at least one column', 'an empty list');
  const names = new Set(schema.map((column) => column.Column));
  if (names.size < schema.length) throw refuse(`${path}.Schema`, 'each column once', 'one twice');
  const indexes =
    table['Indexes'] === undefined
      ? []
      : listAt(table['Indexes'], `${path}.Indexes`, bounds.columnsMax);
  return {
    Scope: scope,
    Schema: schema,
    DefaultObject: defaultsAt(table['DefaultObject'] ?? {}, `${path}.DefaultObject`),
    Indexes: indexes.map((index, at) => indexAt(index, names, `${path}.Indexes[${at}]`)),
  };
}

function columnAt(value: unknown, path: string): ColumnDescriptor {
  const column = objectAt(value, path);
  const { Type: type, Size: size, Nullable: nullable } = column;
  if (typeof type !== 'string') throw refuse(`${path}.Type`, 'a column type', type);
  return {
    Column: nameAt(column['Column'], `${path}.Column`),
    Type: type,
    ...(size === undefined || size === null ? {} : { Size: String(size) }),
    ...(typeof nullable === 'boolean' ? { Nullable: nullable } : {}),
  };
}

function defaultsAt(value: unknown, path: string): Record<string, Scalar> {
  const defaults: Record<string, Scalar> = {};
  for (const [name, given] of Object.entries(objectAt(value, path))) {
    if (isJsonObject(given) || Array.isArray(given)) defaults[name] = JSON.stringify(given);
    else if (
      given === null ||
      typeof given === 'string' ||
      typeof given === 'number' ||
      typeof given === 'boolean'
    )
      defaults[name] = given;
    else throw refuse(`${path}.${name}`, 'a string, number, true, false or null', given);
  }
  return defaults;
}

function indexAt(value: unknown, names: ReadonlySet<string>, path: string): IndexDescriptor {
  const index = objectAt(value, path);
  const columns = listAt(index['Columns'], `${path}.Columns`, 16).map((column, at) => {
    const name = nameAt(column, `${path}.Columns[${at}]`);
    if (!names.has(name)) throw refuse(`${path}.Columns[${at}]`, 'a column of the table', name);
    return name;
  });
  if (columns.length === 0) throw refuse(`${path}.Columns`, 'at least one column', 'an empty list');
  return {
    Name: nameAt(index['Name'], `${path}.Name`),
    Columns: columns,
    ...(index['Unique'] === true ? { Unique: true } : {}),
  };
}
