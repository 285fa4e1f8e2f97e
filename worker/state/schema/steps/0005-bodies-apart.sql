
      drop trigger entries_added;
      drop trigger entries_stripped;
      -- What it holds goes over in small steps while the worker serves; then it is dropped.
      alter table entry rename to entry_old;

      -- What stays of an accepted write until the dedup horizon. The digest is written in place when the body goes, so that no page splits; until then it is zero. Given up says that it was dropped as a dead letter, once held no longer does.
      create table known (seq integer primary key autoincrement, lane integer not null, guid blob not null unique,
        accepted_ms integer not null, digest blob not null default (zeroblob(16)), given_up integer) strict;
      insert into sqlite_sequence select 'known', seq from sqlite_sequence where name = 'entry_old';

      -- Bodies, until retention deletes the rows. The GUID is here again, so that one found in a raw page stands by itself. Small columns come first. The digest of a large body is taken when it comes.
      create table queue_body (seq integer primary key, action text not null, guid blob not null, key text not null, at text, user text,
        accepted_ms integer not null, trace text, crc integer, digest blob, body text not null) strict;
      create table manifest_body (seq integer primary key, action text not null, guid blob not null, key text not null, at text, user text,
        accepted_ms integer not null, trace text, crc integer, digest blob, body text not null) strict;
      -- For counting: the rows themselves are as large as their bodies.
      create index queue_body_seq on queue_body (seq);
      create index manifest_body_seq on manifest_body (seq);

      -- How far accepted writes were forgotten, in the order of Seq, and the greatest time in a version 7 GUID among them.
      create table horizon (id integer primary key check (id = 1), through_seq integer not null, accepted_ms integer not null, guid_ms integer not null) strict;
      insert into horizon values (1, 0, 0, 0);
      alter table lane add column forgotten integer not null default 0;
      -- Grows when bodies behind the cursor of retention may go: something held was let go, or entries were put in between.
      alter table lane add column looked_anew integer not null default 0;
      -- Given up and no longer in held, since retention took them.
      alter table mark add column dropped integer not null default 0;

      -- While entry_old is there its rows are read along; the last step makes these anew without it.
      create view known_entry as select seq, lane, guid, accepted_ms, digest, given_up from known
        union all select seq, lane, guid, accepted_ms, digest, cast(null as integer) from entry_old;
      create view queue_entry as select seq, action, guid, key, at, user, accepted_ms, trace, crc, body from queue_body
        union all select seq, action, guid, key, at, user, accepted_ms, trace, cast(null as integer), body from entry_old where lane = 0 and body is not null;
      create view manifest_entry as select seq, action, guid, key, at, user, accepted_ms, trace, crc, body from manifest_body
        union all select seq, action, guid, key, at, user, accepted_ms, trace, cast(null as integer), body from entry_old where lane = 1 and body is not null;
      create view entry as select seq, lane, cast(case lane when 0 then (select action from queue_body b where b.seq = known.seq) else (select action from manifest_body b where b.seq = known.seq) end as text) as action, guid,
          cast(case lane when 0 then (select key from queue_body b where b.seq = known.seq) else (select key from manifest_body b where b.seq = known.seq) end as text) as key,
          cast(case lane when 0 then (select at from queue_body b where b.seq = known.seq) else (select at from manifest_body b where b.seq = known.seq) end as text) as at,
          cast(case lane when 0 then (select user from queue_body b where b.seq = known.seq) else (select user from manifest_body b where b.seq = known.seq) end as text) as user,
          accepted_ms, cast(case lane when 0 then (select body from queue_body b where b.seq = known.seq) else (select body from manifest_body b where b.seq = known.seq) end as text) as body,
          cast(case lane when 0 then (select digest where not exists (select 1 from queue_body b where b.seq = known.seq))
            else (select digest where not exists (select 1 from manifest_body b where b.seq = known.seq)) end as blob) as digest,
          cast(case lane when 0 then (select trace from queue_body b where b.seq = known.seq) else (select trace from manifest_body b where b.seq = known.seq) end as text) as trace,
          cast(case lane when 0 then (select crc from queue_body b where b.seq = known.seq) else (select crc from manifest_body b where b.seq = known.seq) end as integer) as crc from known
        union all select seq, lane, action, guid, key, at, user, accepted_ms, body, digest, trace, cast(null as integer) from entry_old;

      create trigger queue_entries_added after update on lane when new.lane = 0 and new.accepted > old.accepted begin
        insert into change_log (tbl, op, ids, count) values ('entry', 'create', (select json_group_array(seq) from
          (select seq from queue_body where seq > old.head order by seq limit 100)), new.accepted - old.accepted);
      end;
      create trigger manifest_entries_added after update on lane when new.lane = 1 and new.accepted > old.accepted begin
        insert into change_log (tbl, op, ids, count) values ('entry', 'create', (select json_group_array(seq) from
          (select seq from manifest_body where seq > old.head order by seq limit 100)), new.accepted - old.accepted);
      end;
      create trigger entries_stripped after update on lane when new.bare > old.bare and new.accepted = old.accepted begin
        insert into change_log (tbl, op, ids, count) values ('entry', 'update', '[]', new.bare - old.bare);
      end;

      -- How many are held in each state, kept as they change.
      create table held_count (database integer not null, lane integer not null, state text not null, n integer not null,
        primary key (database, lane, state)) strict, without rowid;
      insert into held_count select database, lane, state, count(*) from held group by database, lane, state;
      -- Keys that may have something to send from behind a dead letter; one that has nothing is taken out when it is looked at.
      create table released (database integer not null, lane integer not null, key text not null, primary key (database, lane, key)) strict, without rowid;
      insert into released select distinct database, lane, key from held where state = 'parked';
      create trigger held_counted after insert on held begin
        insert into held_count values (new.database, new.lane, new.state, 1) on conflict (database, lane, state) do update set n = n + 1; end;
      create trigger held_counted_off after delete on held begin
        update held_count set n = n - 1 where database = old.database and lane = old.lane and state = old.state;
        update lane set looked_anew = looked_anew + 1 where lane = old.lane; end;
      create trigger held_counted_over after update of state on held when new.state <> old.state begin
        update held_count set n = n - 1 where database = old.database and lane = old.lane and state = old.state;
        insert into held_count values (new.database, new.lane, new.state, 1) on conflict (database, lane, state) do update set n = n + 1; end;
      create trigger held_given_up after update of state on held when new.state = 'dropped' and old.state <> 'dropped' begin
        update lane set looked_anew = looked_anew + 1 where lane = new.lane; end;
      create trigger held_parked after insert on held when new.state = 'parked' begin
        insert into released values (new.database, new.lane, new.key) on conflict do nothing; end;
      create trigger held_let_go after update of state on held when new.state in ('parked', 'dropped') begin
        insert into released values (new.database, new.lane, new.key) on conflict do nothing; end;
      create index held_waiting on held (database, lane, key, seq) where state <> 'dropped';
      create index held_state on held (database, lane, state, seq);
    
