
      -- The database a lane goes to because a beacon's tag offered it, until an operator says otherwise. Apart from
      -- `assignment`, which is the operator's word alone.
      create table tag_choice (lane integer primary key, beacon text not null, connection integer not null, chosen_ms integer not null) strict;
      create trigger tag_choice_made after insert on tag_choice begin
        insert into change_log (tbl, op, ids, count) values ('assignment', 'create', json_array(new.lane), 1); end;
      create trigger tag_choice_gone after delete on tag_choice begin
        insert into change_log (tbl, op, ids, count) values ('assignment', 'delete', json_array(old.lane), 1); end;
    