/**
 * Whether a start may serve its hub: not after a later owner was met, and not beside a worker that
 * lives, unless an operator says that it takes over.
 */
import { isJsonObject } from '../../../contracts/body/json-value.ts';
import { TidemarkError } from '../../../contracts/errors.ts';
import { limits } from '../../../contracts/limits.ts';
import { services } from '../../../contracts/subjects.ts';
import type { Bus } from '../../../runtime/bus/bus.ts';
import type { Clock } from '../../../runtime/clock.ts';
import type { Log } from '../../../runtime/log.ts';
import type { Local } from '../../journal/local.ts';
import { deposed } from '../../replay/pending.ts';

/** Another worker of the hub, as it answers the ping of micro services. */
type Living = { id: string; owner: string; term: number; console: string; since: string };

/**
 * Before the bus is asked: what this store has met stays with it.
 * @throws TidemarkError DEPOSED when it has met a later owner, and is not to take over
 */
export function insistOnOwner(local: Local, takesOver: boolean, log: Log): void {
  const { owners } = local.journal;
  const { met, current } = owners;
  if (takesOver) {
    owners.renew();
    log.warn({ before: current.owner, owner: owners.current.owner }, 'takes the hub over');
  } else if (
    met &&
    current.term !== null &&
    met.term >= current.term &&
    met.owner !== current.owner
  )
    throw deposed(local, met);
}

/**
 * A worker that ends, or whose files are gone, may still be on the bus for a moment.
 * @throws TidemarkError DEPOSED when another worker serves the hub, and this one is not to take over
 */
export async function insistOnAlone(
  { bus, local, clock }: { bus: Pick<Bus, 'gather'>; local: Local; clock: Clock },
  hub: string,
  takesOver: boolean,
): Promise<void> {
  const startedMs = clock.monotonicMs();
  for (;;) {
    const [other] = await livingAt(bus, hub);
    if (!other) return;
    if (takesOver) return noteTerm(local, other, clock);
    if (clock.monotonicMs() - startedMs > limits.ownerGraceMs) throw refusalFor(hub, other);
    await clock.sleep(limits.ownerLookMs / 4);
  }
}

/** The Term that is taken at the first contact must be greater than that of the one that lives. */
function noteTerm({ journal }: Local, { term, owner }: Living, clock: Clock): void {
  const { owners } = journal;
  owners.takesOver = true;
  if (term > owners.greatest()) owners.meet({ term, owner, where: 'the bus', atMs: clock.nowMs() });
}

function refusalFor(hub: string, other: Living): TidemarkError {
  return new TidemarkError(
    'DEPOSED',
    `hub ${hub} is served by another worker (${other.console || other.id}, owner ` +
      `${other.owner || 'of an earlier version'}, Term ${other.term}, since ${other.since || 'unknown'}): ` +
      'stop that one, or start this one with --take-over, and the other ends',
  );
}

async function livingAt(bus: Pick<Bus, 'gather'>, hub: string): Promise<Living[]> {
  try {
    const answers = await bus.gather(
      services.subject('PING', services.worker),
      limits.fleetPingMs,
      limits.fleetHubsMax,
    );
    return answers.flatMap((answer) => livingIn(answer, hub) ?? []);
  } catch (error) {
    // Nobody answers, or the bus went away again: whoever is there is met at the database.
    if (error instanceof TidemarkError && error.code === 'UNAVAILABLE') return [];
    throw error;
  }
}

function livingIn(answer: unknown, hub: string): Living | null {
  const metadata = isJsonObject(answer) ? answer['metadata'] : null;
  if (!isJsonObject(answer) || !isJsonObject(metadata) || metadata['hub'] !== hub) return null;
  const term = Number(metadata['Term']);
  return {
    id: textOf(answer['id']),
    owner: textOf(metadata['Owner']),
    term: Number.isSafeInteger(term) && term > 0 ? term : 0,
    console: textOf(metadata['Console']),
    since: textOf(metadata['StartedAt']),
  };
}

/** Anybody may answer, with anything. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, limits.consoleUrlCharsMax) : '';
}
