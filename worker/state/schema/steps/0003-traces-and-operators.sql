
      -- W3C trace context of the request that brought the write: traceparent, and behind a line feed tracestate where there was one.
      alter table entry add column trace text;

      -- What operators changed or tried to change, through any door; bounded, the oldest go.
      create table operator_action (id integer primary key autoincrement, at_ms integer not null, who text not null, via text not null,
        action text not null, detail text, outcome text not null, reason text) strict;
      create trigger operator_action_made after insert on operator_action begin
        insert into change_log (tbl, op, ids, count) values ('operator_action', 'create', json_array(new.id), 1); end;
    