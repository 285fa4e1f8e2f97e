/**
 * What a database lacks of a lane: sent again where the journal still has it, else named for
 * operators.
 */
import type { Lane } from '../../contracts/subjects.ts';
import type { BlockedStore } from '../../hwm/blocked-store.ts';
import type { Mark, MarkStore } from '../../hwm/mark-store.ts';
import type { Log } from '../../runtime/log.ts';
import type { Journal } from '../journal/journal.ts';

export type LackingOptions = {
  lane: Lane;
  journal: Journal;
  marks: MarkStore;
  blocked: BlockedStore;
  log: Log;
  /** A problem that operators must learn of. */
  onFault: (message: string) => void;
};

/** Why a database may lack what our mark says it has. */
export type Cause = 'another' | 'older' | 'unmarked';

export class Lacking {
  readonly #parts: LackingOptions;

  constructor(parts: LackingOptions) {
    this.#parts = parts;
  }

  /** Takes the mark back to what the database itself shows. */
  rewind(mark: Mark, to: number, cause: Cause): void {
    const { journal, lane, marks, blocked, log, onFault } = this.#parts;
    const again =
      journal.countAfter(lane, to) -
      journal.countAfter(lane, mark.seq) -
      blocked.countBetween(mark.database, lane, to, mark.seq);
    marks.rewind(mark.database, lane, to, again);
    const why = reasonOf(mark, cause);
    log.warn(
      { lane, beacon: mark.beacon, from: mark.seq, to, again },
      `${why}; sending again what the journal still has`,
    );
    const { strippedThrough } = journal.counts(lane);
    if (strippedThrough > to)
      onFault(
        `${why}: writes of lane ${lane} from Seq ${to + 1} to ${strippedThrough} are no longer ` +
          'in the journal and cannot be sent again',
      );
  }
}

function reasonOf({ beacon, connection }: Mark, cause: Cause): string {
  const where = `${beacon}/${connection}`;
  switch (cause) {
    case 'another':
      return `${where} is another database than before`;
    case 'older':
      return `${where} went back in time`;
    case 'unmarked':
      return `${where} was written to without its mark, by row requests, and may have gone back in time meanwhile`;
  }
}
