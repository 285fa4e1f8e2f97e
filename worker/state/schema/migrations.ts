/**
 * The schema of state.db, as numbered steps. Append only: a released step never changes,
 * `migrations.lock.json` holds its checksum. A step is SQL, run whole or not at all, so it need not
 * look what is there already.
 */

export type Migration = {
  version: number;
  name: string;
  sql: string;
  /**
   * It makes a table anew that others refer to: foreign keys are off while it runs, and checked
   * before it commits.
   */
  isRebuild?: boolean;
  /**
   * Oldest schema whose programs may still write or read the file after it; its own version where
   * it does not say.
   */
  oldestWriter?: number;
  oldestReader?: number;
};

export const migrations: readonly Migration[] = [
  {
    version: 1,
    name: 'journal, marks, dead letters, assignments, projection',
    sql: `
      create table meta (name text primary key, value text not null) strict, without rowid;

      -- One accepted write. Retention takes the body and leaves a digest, so that a repeat is still known.
      create table entry (
        seq integer primary key autoincrement,
        lane integer not null,
        action text not null,
        guid blob not null unique,
        key text not null,
        at text,
        user text,
        accepted_ms integer not null,
        body text,
        digest blob
      ) strict;
      create index entry_lane on entry (lane, seq);

      create table lane (lane integer primary key, accepted integer not null, head integer not null,
        bare integer not null, bare_through integer not null) strict;
      insert into lane values (0, 0, 0, 0, 0), (1, 0, 0, 0, 0);

      create table database (id integer primary key, beacon text not null, connection integer not null, unique (beacon, connection)) strict;

      -- The mark of a database and lane, and how the entries up to it were settled.
      create table mark (
        database integer not null references database (id),
        lane integer not null,
        seq integer not null,
        guid blob,
        recorded_ms integer,
        applied_ms integer,
        applied integer not null,
        present integer not null,
        skipped integer not null,
        carrier text,
        -- Identity of the database when this lane last looked.
        store_id text not null,
        primary key (database, lane)
      ) strict, without rowid;

      -- Entries below the mark that the database does not have: dead letters, and later writes of the same key parked behind them.
      create table held (
        database integer not null references database (id),
        seq integer not null,
        lane integer not null,
        key text not null,
        state text not null check (state in ('dead', 'parked', 'dropped')),
        reason text,
        since_ms integer not null,
        primary key (database, seq)
      ) strict, without rowid;
      create index held_key on held (database, lane, key, seq);

      -- When a stretch of entries was settled, so that the time of one write can be told.
      create table delivery (
        database integer not null,
        lane integer not null,
        through_seq integer not null,
        at_ms integer not null,
        primary key (database, lane, through_seq)
      ) strict, without rowid;

      create table assignment (lane integer primary key, beacon text not null, connection integer not null, assigned_ms integer not null) strict;

      -- One-way messages that can never be accepted.
      create table refused (id integer primary key, subject text not null, body blob not null, reason text not null, at_ms integer not null) strict;

      -- What this journal knows of each row, for reads: columns ever written, as JSON, and the Seq that wrote last.
      create table projected (tbl text not null, key text not null, sub text not null, seq integer not null, doc text not null,
        primary key (tbl, key, sub)) strict, without rowid;
      create index projected_seq on projected (tbl, seq);
      create table projection (lane integer primary key, seq integer not null) strict;
      insert into projection values (0, 0), (1, 0);
    `,
  },
  {
    version: 2,
    name: 'starts, faults, changes, operations, legacy imports, epochs of marks',
    oldestReader: 1,
    sql: `
      -- One row a start. Seqs of a start begin at first_seq, so that holes within a start are losses, and those between are not.
      create table boot (id text primary key, pid integer not null, started_ms integer not null, first_seq integer not null, stopped_ms integer) strict;

      -- What went wrong with the local state, and what was saved or lost by it.
      create table fault (id integer primary key autoincrement, at_ms integer not null, class text not null, what text not null, detail text) strict;

      -- What listeners are told of: one row a table and transaction, gone once the bus has it.
      create table change_log (cursor integer primary key autoincrement, tbl text not null, op text not null, ids text not null,
        count integer not null) strict;
      -- By triggers, so that no change can be forgotten. Entries are told of once a commit, by the counts of their lane.
      create trigger entries_added after update on lane when new.accepted > old.accepted begin
        insert into change_log (tbl, op, ids, count) values ('entry', 'create', (select json_group_array(seq) from
          (select seq from entry where lane = new.lane and seq > old.head and body is not null order by seq limit 100)), new.accepted - old.accepted);
      end;
      create trigger entries_stripped after update on lane when new.bare > old.bare and new.accepted = old.accepted begin
        insert into change_log (tbl, op, ids, count) values ('entry', 'update', '[]', new.bare - old.bare);
      end;
      create trigger mark_made after insert on mark begin
        insert into change_log (tbl, op, ids, count) values ('mark', 'create', json_array(new.database || '/' || new.lane), 1); end;
      create trigger mark_moved after update on mark begin
        insert into change_log (tbl, op, ids, count) values ('mark', 'update', json_array(new.database || '/' || new.lane), 1); end;
      create trigger database_made after insert on database begin
        insert into change_log (tbl, op, ids, count) values ('database', 'create', json_array(new.id), 1); end;
      create trigger held_made after insert on held begin insert into change_log (tbl, op, ids, count) values ('held', 'create', json_array(new.seq), 1); end;
      create trigger held_changed after update on held begin insert into change_log (tbl, op, ids, count) values ('held', 'update', json_array(new.seq), 1); end;
      create trigger held_gone after delete on held begin insert into change_log (tbl, op, ids, count) values ('held', 'delete', json_array(old.seq), 1); end;
      create trigger assignment_made after insert on assignment begin
        insert into change_log (tbl, op, ids, count) values ('assignment', 'create', json_array(new.lane), 1); end;
      create trigger assignment_changed after update on assignment begin
        insert into change_log (tbl, op, ids, count) values ('assignment', 'update', json_array(new.lane), 1); end;
      create trigger assignment_gone after delete on assignment begin
        insert into change_log (tbl, op, ids, count) values ('assignment', 'delete', json_array(old.lane), 1); end;
      create trigger refused_made after insert on refused begin insert into change_log (tbl, op, ids, count) values ('refused', 'create', json_array(new.id), 1); end;
      create trigger refused_gone after delete on refused begin insert into change_log (tbl, op, ids, count) values ('refused', 'delete', json_array(old.id), 1); end;
      create trigger paused_set after insert on meta when new.name = 'paused' begin
        insert into change_log (tbl, op, ids, count) values ('meta', 'create', json_array(new.name), 1); end;
      create trigger paused_changed after update on meta when new.name = 'paused' and new.value <> old.value begin
        insert into change_log (tbl, op, ids, count) values ('meta', 'update', json_array(new.name), 1); end;

      -- Maintenance: one row for each operation that is applied, or that an operator skips until a time. type and id together name one.
      create table operation (type text not null, id text not null, sha256 text not null, title text not null,
        state text not null check (state in ('applied', 'skipped')), applied_by text not null, host text not null, pid integer not null,
        app_version text not null, started_ms integer not null, ended_ms integer not null, changes integer not null, note text,
        until_ms integer, primary key (type, id)) strict;
      -- Every run of one, also those that failed, were tried only, or broke off; bounded, the oldest go.
      create table operation_attempt (id integer primary key autoincrement, type text not null, operation text not null, sha256 text not null,
        result text not null, applied_by text not null, host text not null, pid integer not null, app_version text not null,
        started_ms integer not null, ended_ms integer, changes integer not null, note text, error text) strict;
      create index operation_attempt_of on operation_attempt (type, operation, id);
      -- How far a long operation is; gone once it is applied.
      create table operation_progress (type text not null, id text not null, args text not null, cursor text not null, steps integer not null,
        changes integer not null, at_ms integer not null, primary key (type, id)) strict;

      -- Files of the incumbent that were taken in, by their content; entries that could not be are kept word for word.
      create table legacy_import (source text not null, sha256 text not null, status text not null, reason text, read integer not null,
        imported integer not null, rejected integer not null, at_ms integer not null, primary key (source, sha256)) strict;
      create table legacy_reject (id integer primary key autoincrement, source text not null, sha256 text not null, item text not null, reason text not null) strict;
      -- The incumbent's marks are times: shown, and nothing else, for they do not say what was really sent.
      create table legacy_mark (lane integer not null, beacon text not null, at text not null, primary key (lane, beacon)) strict, without rowid;
      create trigger legacy_taken after insert on legacy_import begin
        insert into change_log (tbl, op, ids, count) values ('legacy_import', 'create', json_array(new.source), 1); end;
      create trigger legacy_again after update on legacy_import begin
        insert into change_log (tbl, op, ids, count) values ('legacy_import', 'update', json_array(new.source), 1); end;
      create trigger operation_made after insert on operation begin
        insert into change_log (tbl, op, ids, count) values ('operation', 'create', json_array(new.type || '/' || new.id), 1); end;
      create trigger operation_changed after update on operation begin
        insert into change_log (tbl, op, ids, count) values ('operation', 'update', json_array(new.type || '/' || new.id), 1); end;
      create trigger operation_gone after delete on operation begin
        insert into change_log (tbl, op, ids, count) values ('operation', 'delete', json_array(old.type || '/' || old.id), 1); end;

      -- The epoch under which a mark is told to the database: a new one makes the database take again what it had.
      alter table mark add column epoch text not null default '';
      -- While nothing is settled under it: those it may still show, blank between, and the Seq it must show under them at least.
      alter table mark add column epoch_before text;
      alter table mark add column seq_before integer;
      update mark set epoch = coalesce((select value from meta where name = 'epoch'), '');

      -- Only entries that still have their bodies are ever looked for by lane; merged ones may have theirs below others that gave it up.
      drop index entry_lane;
      create index entry_kept on entry (lane, seq) where body is not null;

      -- "TIDE": tells our file from other SQLite files.
      pragma application_id = 0x54494445;
    `,
  },
  {
    version: 3,
    name: 'trace context of entries, who did what',
    oldestWriter: 2,
    oldestReader: 1,
    sql: `
      -- W3C trace context of the request that brought the write: traceparent, and behind a line feed tracestate where there was one.
      alter table entry add column trace text;

      -- What operators changed or tried to change, through any door; bounded, the oldest go.
      create table operator_action (id integer primary key autoincrement, at_ms integer not null, who text not null, via text not null,
        action text not null, detail text, outcome text not null, reason text) strict;
      create trigger operator_action_made after insert on operator_action begin
        insert into change_log (tbl, op, ids, count) values ('operator_action', 'create', json_array(new.id), 1); end;
    `,
  },
];

export const schemaVersion = migrations.length;
