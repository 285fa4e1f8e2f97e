/** Uses kysely only as a compiler: it produces each engine's SQL text and runs nothing. */
import {
  type CompiledQuery,
  DummyDriver,
  Kysely,
  MssqlAdapter,
  MssqlIntrospector,
  MssqlQueryCompiler,
  MysqlAdapter,
  MysqlIntrospector,
  MysqlQueryCompiler,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';
import type { EngineKind, Statement } from '../engine/engine.ts';

/** Tables and columns are known only when a request arrives. */
export type AnySchema = Record<string, Record<string, unknown>>;

const createDriver = () => new DummyDriver();

const compilers: Record<EngineKind, Kysely<AnySchema>> = {
  sqlite: new Kysely({
    dialect: {
      createDriver,
      createAdapter: () => new SqliteAdapter(),
      createIntrospector: (db) => new SqliteIntrospector(db),
      createQueryCompiler: () => new SqliteQueryCompiler(),
    },
  }),
  postgresql: new Kysely({
    dialect: {
      createDriver,
      createAdapter: () => new PostgresAdapter(),
      createIntrospector: (db) => new PostgresIntrospector(db),
      createQueryCompiler: () => new PostgresQueryCompiler(),
    },
  }),
  mysql: new Kysely({
    dialect: {
      createDriver,
      createAdapter: () => new MysqlAdapter(),
      createIntrospector: (db) => new MysqlIntrospector(db),
      createQueryCompiler: () => new MysqlQueryCompiler(),
    },
  }),
  mssql: new Kysely({
    dialect: {
      createDriver,
      createAdapter: () => new MssqlAdapter(),
      createIntrospector: (db) => new MssqlIntrospector(db),
      createQueryCompiler: () => new MssqlQueryCompiler(),
    },
  }),
};

export function builderOf(kind: EngineKind): Kysely<AnySchema> {
  return compilers[kind];
}

export function toStatement(query: CompiledQuery, isWrite: boolean): Statement {
  return { sql: query.sql, parameters: query.parameters, isWrite };
}
