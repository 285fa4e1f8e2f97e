
      -- Who accepted an entry: this store, or one whose entries were merged into it. A term is null until its store meets the first database. 0 is everybody from before there were Terms.
      create table owner (id integer primary key, owner text not null unique, term integer, is_own integer not null, since_ms integer not null) strict;
      insert into owner values (0, '', 0, 0, 0);
      alter table queue_body add column owner integer not null default 0;
      alter table manifest_body add column owner integer not null default 0;

      -- Settled because a later owner's row stands in the place of theirs.
      alter table mark add column superseded integer not null default 0;
      create table superseded (database integer not null, seq integer not null, lane integer not null, key text not null, at_ms integer not null, primary key (database, seq)) strict, without rowid;

      -- A store that has moved everything out of entry_old dropped it; the views below are made for both, and made anew without it when it is empty.
      create table if not exists entry_old (seq integer primary key, lane integer not null, action text not null, guid blob not null unique, key text not null,
        at text, user text, accepted_ms integer not null, body text, digest blob, trace text) strict;
      drop view entry;
      drop view known_entry;
      drop view queue_entry;
      drop view manifest_entry;
      create view known_entry as select seq, lane, guid, accepted_ms, digest, given_up from known
        union all select seq, lane, guid, accepted_ms, digest, cast(null as integer) from entry_old;
      create view queue_entry as select seq, action, guid, key, at, user, accepted_ms, trace, crc, owner, body from queue_body
        union all select seq, action, guid, key, at, user, accepted_ms, trace, cast(null as integer), cast(0 as integer), body from entry_old where lane = 0 and body is not null;
      create view manifest_entry as select seq, action, guid, key, at, user, accepted_ms, trace, crc, owner, body from manifest_body
        union all select seq, action, guid, key, at, user, accepted_ms, trace, cast(null as integer), cast(0 as integer), body from entry_old where lane = 1 and body is not null;
      create view entry as select seq, lane, cast(case lane when 0 then (select action from queue_body b where b.seq = known.seq) else (select action from manifest_body b where b.seq = known.seq) end as text) as action, guid,
          cast(case lane when 0 then (select key from queue_body b where b.seq = known.seq) else (select key from manifest_body b where b.seq = known.seq) end as text) as key,
          cast(case lane when 0 then (select at from queue_body b where b.seq = known.seq) else (select at from manifest_body b where b.seq = known.seq) end as text) as at,
          cast(case lane when 0 then (select user from queue_body b where b.seq = known.seq) else (select user from manifest_body b where b.seq = known.seq) end as text) as user,
          accepted_ms, cast(case lane when 0 then (select body from queue_body b where b.seq = known.seq) else (select body from manifest_body b where b.seq = known.seq) end as text) as body,
          cast(case lane when 0 then (select digest where not exists (select 1 from queue_body b where b.seq = known.seq))
            else (select digest where not exists (select 1 from manifest_body b where b.seq = known.seq)) end as blob) as digest,
          cast(case lane when 0 then (select trace from queue_body b where b.seq = known.seq) else (select trace from manifest_body b where b.seq = known.seq) end as text) as trace,
          cast(case lane when 0 then (select crc from queue_body b where b.seq = known.seq) else (select crc from manifest_body b where b.seq = known.seq) end as integer) as crc,
          cast(coalesce(case lane when 0 then (select owner from queue_body b where b.seq = known.seq) else (select owner from manifest_body b where b.seq = known.seq) end, 0) as integer) as owner from known
        union all select seq, lane, action, guid, key, at, user, accepted_ms, body, digest, trace, cast(null as integer), cast(0 as integer) from entry_old;
    
