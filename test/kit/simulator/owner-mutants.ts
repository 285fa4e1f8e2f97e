/** I11: ways in which two owners of a hub could get into each other's way. */
import type { Mutant } from './mutant.ts';

export const ofOwners: readonly Mutant[] = [
  {
    name: 'the Term of a batch is not looked at, of one that does not say what it builds on',
    breaks: 'I11',
    database: (database) => {
      database.isFenced = false;
      const apply = database.apply.bind(database);
      database.apply = (settings) => {
        const unguarded = { ...settings, AfterSeq: 0 };
        delete unguarded.AfterEpoch;
        return apply(unguarded);
      };
    },
  },
  {
    name: 'a Term is raised whenever a greater one is met',
    breaks: 'I11',
    worker: ({ core, local }) => {
      const { ownership } = core.delivery.destinations;
      const { owners } = local.journal;
      const meet = ownership.meet.bind(ownership);
      ownership.meet = (where, marks) => {
        const greatest = Math.max(0, ...marks.map(({ Term = 0 }) => Term));
        if (owners.current.term !== null && greatest > owners.current.term)
          owners.take(greatest + 1);
        return meet(where, marks);
      };
    },
  },
];
