
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
    