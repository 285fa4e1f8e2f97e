/** The hub that does its work while others attack: one write at a time, each with a deadline. */
import { readFileSync, readdirSync } from 'node:fs';
import { Buffer } from 'node:buffer';
import type { NatsConnection } from 'nats';
import { messageOf } from '../../../contracts/errors.ts';
import type { FoldCall } from '../rows/fold.ts';
import { guidOf } from '../rows/trace.ts';

/** Begins every key of the honest hub, and no other. */
export const honestMark = 'honest';
/** Rows it writes again and again, so that the tables stay small. */
const keys = 100;
/** Longer than the deadline, to tell late from never. */
const giveUpMs = 20_000;

export type Answered = {
  /** From the request to its answer, without the time the machine let nobody run. */
  ms: number;
  /** What is wrong with the answer, or null. */
  complaint: string | null;
};

export class HonestHub {
  readonly accepted: FoldCall[] = [];
  readonly #connection: NatsConnection;
  /** Processes whose waiting for a core is not the fault of what they were sent. */
  readonly #pids: readonly number[];
  readonly #run: string;
  #count = 0;

  constructor(connection: NatsConnection, pids: readonly number[], run: string) {
    this.#connection = connection;
    this.#pids = pids;
    this.#run = run;
  }

  async write(): Promise<Answered> {
    this.#count += 1;
    const { lane, action, settings, call } = writeOf(this.#run, this.#count);
    const body = Buffer.from(JSON.stringify({ EventGUID: call.eventGuid, Settings: settings }));
    const waitedBefore = waitedMs(this.#pids);
    const startedMs = performance.now();
    const done = (complaint: string | null): Answered => {
      const waited = waitedMs(this.#pids) - waitedBefore;
      return { ms: Math.max(0, performance.now() - startedMs - waited), complaint };
    };
    const subject = `tidemark.hub1.${lane}.${action}`;
    try {
      const answer = await this.#ask(subject, body);
      const isGood = answer.Success === true && answer.Durability === 'synced';
      if (isGood) this.accepted.push(call);
      return done(isGood ? null : `${action} was answered ${JSON.stringify(answer)}`);
    } catch (error) {
      const late = done(`${action} was not answered: ${messageOf(error)}`);
      // As a hub does: it asks until it knows. What was accepted is counted, late as it is.
      const again = await this.#ask(subject, body).catch(() => null);
      if (again?.Success === true) this.accepted.push(call);
      return late;
    }
  }

  async #ask(subject: string, body: Uint8Array): Promise<Answer> {
    const reply = await this.#connection.request(subject, body, { timeout: giveUpMs });
    return reply.json<Answer>();
  }
}

type Answer = { Success?: boolean; Durability?: string };

type Write = {
  lane: 'queue' | 'manifest';
  action: string;
  settings: Record<string, unknown>;
  call: FoldCall;
};

/** The n-th write: each kind in turn, on keys that come back. */
function writeOf(run: string, n: number): Write {
  const key = `${honestMark}-${Math.floor(n / 6) % keys}`;
  const eventGuid = guidOf(`${honestMark} ${run} ${n}`);
  const at = new Date(1_767_225_600_000 + n * 1_000).toISOString();
  const queue = (
    action: string,
    settings: Record<string, unknown>,
    method: string,
    args: unknown[],
  ): Write => ({ lane: 'queue', action, settings, call: { method, args, eventGuid } });
  switch (n % 6) {
    case 0: {
      const item = { WorkItemHash: key, Status: 'Pending', Priority: n, EnqueuedAt: at };
      return queue('QP_UpsertWorkItem', { WorkItem: item }, 'upsertWorkItem', [item]);
    }
    case 1: {
      const event = { WorkItemHash: key, EventType: 'Said', Seq: n, EmittedAt: at, Payload: { n } };
      return queue('QP_AppendEvent', { Event: event }, 'appendEvent', [event]);
    }
    case 2: {
      const attempt = { WorkItemHash: key, AttemptNumber: 1, BeaconID: 'b', StartedAt: at };
      return queue('QP_InsertAttempt', { Attempt: attempt }, 'insertAttempt', [attempt]);
    }
    case 3: {
      const settings = { WorkItemHash: key, AttemptNumber: 1, Patch: { Outcome: `o-${n}` } };
      const args = [key, 1, settings.Patch];
      return queue('QP_UpdateAttemptOutcome', settings, 'updateAttemptOutcome', args);
    }
    case 4: {
      const patch = { Status: 'Running', LastEventAt: at };
      const settings = { WorkItemHash: key, Patch: patch };
      return queue('QP_UpdateWorkItem', settings, 'updateWorkItem', [key, patch]);
    }
    default: {
      const manifest = { Hash: key, Status: 'Done', StartTime: at, Steps: [n] };
      return {
        lane: 'manifest',
        action: 'MS_UpsertManifest',
        settings: { Manifest: manifest },
        call: { method: 'upsertManifest', args: [manifest], eventGuid },
      };
    }
  }
}

/**
 * Milliseconds these processes were ready to run and had no core, the longest of their threads each:
 * other work of the machine makes them late, and is nobody's attack.
 */
function waitedMs(pids: readonly number[]): number {
  return [process.pid, ...pids].reduce((sum, pid) => sum + longestWaitMs(pid), 0);
}

function longestWaitMs(pid: number): number {
  try {
    const waits = readdirSync(`/proc/${pid}/task`).map((thread) => {
      const [, waitedNs = '0'] = readFileSync(
        `/proc/${pid}/task/${thread}/schedstat`,
        'utf8',
      ).split(' ');
      return Number(waitedNs) / 1_000_000;
    });
    return Math.max(0, ...waits);
  } catch {
    // Where the kernel does not tell, or the process is gone, nothing is taken off.
    return 0;
  }
}
