/**
 * Work for a real hub: items that a beacon of ours takes and completes, and operations that end at
 * once, wait for a person, or wait for the beacon.
 */
import type { RealHub } from './hub-process.ts';

/** The kinds of operations, by their hash at the hub. */
export const kinds = ['echo', 'ask', 'toil'] as const;
export type Kind = (typeof kinds)[number];

type Pending = { RunHash: string; WaitingTasks?: Record<string, unknown> };
type WorkItem = { WorkItemHash: string } | null;

/** Completes what it is given after so long. */
const toilMs = 40;
const everyMs = 40;

export class Traffic {
  readonly made = { items: 0, runs: 0, completed: 0, resumed: 0 };
  /** What a person's answer to a waiting run came to, where it is not an end. */
  readonly notResumed: string[] = [];
  readonly #hub: RealHub;
  readonly #textChars: number;
  #isOn = false;
  #beacon = '';
  #turn = 0;
  #running: Promise<void>[] = [];

  constructor(hub: RealHub, textChars = 300) {
    this.#hub = hub;
    this.#textChars = textChars;
  }

  /** Makes the operations known to a new hub. */
  async prepare(): Promise<void> {
    for (const kind of kinds) await this.#hub.post('/Operation', operationOf(kind));
  }

  /** To be called in each life of the hub. */
  async begin(): Promise<void> {
    const beacon = await this.#hub.post<{ BeaconID: string }>('/Beacon/Register', {
      Name: 'toiler',
      Capabilities: ['Toil'],
      MaxConcurrent: 100,
    });
    this.#beacon = beacon.BeaconID;
    this.#isOn = true;
    this.#running = [this.#repeat(() => this.#enqueue()), this.#repeat(() => this.#work())];
  }

  /** Nothing new is made; called also when the hub is gone. */
  async end(): Promise<void> {
    this.#isOn = false;
    await Promise.all(this.#running);
  }

  /** Starts a run. @returns its hash */
  async run(kind: Kind): Promise<string> {
    const { RunHash } = await this.#hub.post<{ RunHash: string }>(
      `/Operation/${kind}/Execute/Async`,
      {},
    );
    this.made.runs += 1;
    return RunHash;
  }

  /** A person answers these runs, if they wait: each has to come to its end. */
  async answer(runs: ReadonlySet<string>): Promise<void> {
    const pending = await this.#hub.get<Pending[]>('/PendingInput');
    const waits = new Map(pending.map((one) => [one.RunHash, one.WaitingTasks ?? {}]));
    for (const run of runs) {
      const [NodeHash] = Object.keys(waits.get(run) ?? {});
      if (NodeHash === undefined) {
        this.notResumed.push(`${run} does not wait any more`);
        continue;
      }
      const { Status } = await this.#hub.post<{ Status: string }>(`/PendingInput/${run}`, {
        NodeHash,
        Value: 'an answer',
      });
      if (Status === 'Complete') this.made.resumed += 1;
      else this.notResumed.push(`${run} is ${Status} after its answer`);
    }
  }

  async #repeat(step: () => Promise<void>): Promise<void> {
    while (this.#isOn) {
      // The hub may be gone at any moment; what it took is in the recording.
      await step().catch(() => undefined);
      await pause(everyMs);
    }
  }

  async #enqueue(): Promise<void> {
    await this.#hub.post('/Beacon/Work/Enqueue', {
      Capability: 'Toil',
      Action: 'Execute',
      Settings: { Text: 'x'.repeat(this.#textChars), Turn: ++this.#turn },
    });
    this.made.items += 1;
    if (this.#turn % 10 === 0) await this.run(this.#turn % 20 === 0 ? 'toil' : 'echo');
  }

  async #work(): Promise<void> {
    for (;;) {
      const { WorkItem } = await this.#hub.post<{ WorkItem: WorkItem }>('/Beacon/Work/Poll', {
        BeaconID: this.#beacon,
      });
      if (!WorkItem) return;
      const { WorkItemHash } = WorkItem;
      void pause(toilMs)
        .then(() =>
          this.#hub.post(`/Beacon/Work/${WorkItemHash}/Complete`, { Outputs: { Result: 'done' } }),
        )
        .then(
          () => (this.made.completed += 1),
          () => undefined,
        );
    }
  }
}

function operationOf(kind: Kind): object {
  const middle = {
    echo: node('middle', 'set-value', ['Execute', 'Complete'], {
      Value: 'hello',
      ToAddress: 'Operation.Said',
    }),
    ask: node('middle', 'value-input', ['RequestInput', 'ValueInputComplete'], {
      PromptMessage: 'And now?',
      OutputAddress: 'Operation.Answer',
    }),
    toil: node('middle', 'beacon-dispatch', ['Trigger', 'Complete'], {
      RemoteCapability: 'Toil',
      RemoteAction: 'Execute',
      TimeoutMs: 600_000,
    }),
  }[kind];
  return {
    Hash: kind,
    Name: `campaign ${kind}`,
    Graph: {
      Nodes: [node('begin', 'start', [null, 'Out'], {}), middle, node('done', 'end', ['In'], {})],
      Connections: [link('begin', 'middle'), link('middle', 'done')],
    },
  };
}

/** A node with at most one way in and one out. */
function node(
  Hash: string,
  Type: string,
  [into, out]: (string | null)[],
  Data: Record<string, unknown>,
): object {
  const port = (Label: string, Direction: 'input' | 'output') => ({
    Hash: `${Hash}-${Direction}`,
    Direction,
    Label,
  });
  const Ports = [...(into ? [port(into, 'input')] : []), ...(out ? [port(out, 'output')] : [])];
  return { Hash, Type, Title: Hash, Ports, Data };
}

function link(from: string, to: string): object {
  return {
    Hash: `${from}-${to}`,
    SourceNodeHash: from,
    SourcePortHash: `${from}-output`,
    TargetNodeHash: to,
    TargetPortHash: `${to}-input`,
    Data: {},
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
