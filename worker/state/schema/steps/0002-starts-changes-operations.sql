
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
    