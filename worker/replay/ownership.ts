/**
 * Whether this store owns its hub: compares its Term with those that databases show, takes one at
 * the first contact, and ends delivery once a later owner is met.
 *
 * Constraints: I11. A Term is raised by nobody but a store that has none yet, so that of two that
 * live one gives way. Ordering: a Term is committed before anything is sent under it.
 */
import type { ApplySettings, StoredMark } from '../../contracts/capability.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import type { MetOwner, Owners } from '../state/owners.ts';

export type OwnershipOptions = {
  owners: Owners;
  clock: Clock;
  log: Log;
  /** A later owner was met: this store may not serve any more. */
  onDeposed: (met: MetOwner) => void;
};

export class Ownership {
  readonly #parts: OwnershipOptions;
  #isDeposed = false;

  constructor(parts: OwnershipOptions) {
    this.#parts = parts;
  }

  /** Nothing is delivered any more. */
  get isDeposed(): boolean {
    return this.#isDeposed;
  }

  /** No Term yet: the marks of both lanes decide which it will be. */
  get isNew(): boolean {
    return this.#parts.owners.current.term === null;
  }

  /** What each batch carries. */
  stamp(): Pick<ApplySettings, 'Term' | 'Owner'> {
    const { term, owner } = this.#parts.owners.current;
    return term === null ? {} : { Term: term, Owner: owner };
  }

  /**
   * Compares with the marks that a database has of this hub; a store without a Term takes one.
   * Returns whether this store is the owner.
   */
  meet(where: string, marks: readonly StoredMark[]): boolean {
    if (this.#isDeposed) return false;
    const { owners, log } = this.#parts;
    const { owner } = owners.current;
    const own = Math.max(0, ...marks.filter(({ Owner }) => Owner === owner).map(termIn));
    const others = marks.filter((mark) => termIn(mark) > 0 && mark.Owner !== owner);
    const [latest] = others.toSorted((a, b) => termIn(b) - termIn(a));
    for (const mark of others) owners.yieldTo(termIn(mark), mark.Owner ?? '');
    // A copy of this very store that was put back from before it took its Term.
    if (own > (owners.current.term ?? 0)) owners.take(own);
    if (owners.current.term === null) {
      const term = Math.max(owners.greatest(), latest ? termIn(latest) : 0) + 1;
      owners.take(term);
      log.info({ term, owner, where }, 'took a Term at the first contact with a database');
    }
    if (!latest || termIn(latest) < (owners.current.term ?? 0)) return true;
    this.deposedBy({ term: termIn(latest), owner: latest.Owner ?? '', where });
    return false;
  }

  /** A later owner serves the hub. Kept, so that the next start refuses as well. */
  deposedBy(met: Omit<MetOwner, 'atMs'>): void {
    if (this.#isDeposed) return;
    this.#isDeposed = true;
    const known = { ...met, atMs: this.#parts.clock.nowMs() };
    this.#parts.owners.meet(known);
    this.#parts.onDeposed(known);
  }

  /** Whether a mark is this owner's own. */
  isSelf({ Owner = '' }: StoredMark): boolean {
    return Owner === this.#parts.owners.current.owner;
  }

  /** Whether a mark is from a store whose entries this one does not have. */
  isForeign({ Owner = '' }: StoredMark): boolean {
    return Owner === '' || !this.#parts.owners.isKnown(Owner);
  }
}

function termIn({ Term = 0 }: StoredMark): number {
  return Term;
}
