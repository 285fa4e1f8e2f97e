/**
 * Runs a hostile campaign: step after step from a seed, each made from the seed and its number
 * alone, so that any of them can be sent again without those before.
 */
import { Buffer } from 'node:buffer';
import { headers as emptyHeaders, type NatsConnection } from 'nats';
import { Dice } from '../simulator/dice.ts';
import { type BusAct, busAct } from './bus-acts.ts';
import { HonestHub } from './honest-hub.ts';
import { type HttpAct, httpAct, sendHttp } from './http-acts.ts';
import { HostileRig, viewToken } from './rig.ts';
import { inboxFor, permissionsFor, type Stranger, strangers } from './roles.ts';
import { Watch } from './watch.ts';

export type CampaignOptions = {
  seconds: number;
  seed: number;
  /** Only these steps. */
  steps?: { from: number; to: number };
};
export type Violation = {
  seed: number;
  step: number;
  role: string;
  what: string[];
  /** The first message of the step, the start of it when it is long. */
  message: string;
  reproduction: string;
};
export type CampaignReport = {
  good: boolean;
  seed: number;
  seconds: number;
  steps: number;
  busMessages: number;
  httpRequests: number;
  honestWrites: number;
  slowestWriteMs: number;
  peakMiB: number;
  byRole: Record<string, number>;
  violations: Violation[];
};

const answeredMs = 1_000;
/** Steps between two looks at everything. */
const settleEvery = 40;
/** After so many nothing new is learnt. */
const violationsMax = 5;
const hexBytesMax = 600;

type Act = { kind: 'bus'; act: BusAct } | { kind: 'http'; act: HttpAct };

/** The step of a seed. */
export function actOf(seed: number, step: number): Act {
  const dice = new Dice(Math.imul(seed, 1_000_003) ^ Math.imul(step, 2_654_435_761));
  for (let warm = 0; warm < 4; warm += 1) dice.real();
  if (dice.chance(0.25)) return { kind: 'http', act: httpAct(dice, viewToken) };
  const role = dice.weighted<Stranger>({
    hub1: 6,
    worker2: 6,
    'db-3': 4,
    operator1: 2,
    hub2: 1,
    operator2: 1,
    guest: 0.5,
  });
  return { kind: 'bus', act: busAct(dice, role) };
}

export async function runCampaign(options: CampaignOptions): Promise<CampaignReport> {
  await using rig = await HostileRig.start();
  const campaign = await Campaign.over(rig, options);
  return await campaign.run();
}

class Campaign {
  readonly #rig: HostileRig;
  readonly #hub: HonestHub;
  readonly #watch: Watch;
  readonly #options: CampaignOptions;
  readonly #report: CampaignReport;

  private constructor(rig: HostileRig, hub: HonestHub, options: CampaignOptions) {
    this.#rig = rig;
    this.#hub = hub;
    this.#watch = new Watch(rig, hub);
    this.#options = options;
    this.#report = {
      good: true,
      seed: options.seed,
      seconds: 0,
      steps: 0,
      busMessages: 0,
      httpRequests: 0,
      honestWrites: 0,
      slowestWriteMs: 0,
      peakMiB: 0,
      byRole: {},
      violations: [],
    };
  }

  static async over(rig: HostileRig, options: CampaignOptions): Promise<Campaign> {
    const pids = [rig.processes.worker.pid];
    const hub = new HonestHub(await rig.connection('hub1'), pids, String(options.seed));
    const campaign = new Campaign(rig, hub, options);
    for (const role of strangers) await campaign.#listen(role);
    return campaign;
  }

  /** Strangers hear all they may, and none of it may be a secret. */
  async #listen(role: Stranger): Promise<void> {
    const connection = await this.#rig.as(role);
    for (const subject of permissionsFor(role).subscribe.allow)
      connection.subscribe(subject, {
        callback: (_, message) => {
          const text = Buffer.from(message?.data ?? []).toString('latin1');
          this.#watch.heard(`${message?.subject} to ${role}`, text);
        },
      });
  }

  async run(): Promise<CampaignReport> {
    const { seconds, steps: { from, to } = { from: 1, to: Number.MAX_SAFE_INTEGER } } =
      this.#options;
    const startedMs = performance.now();
    const elapsed = () => (performance.now() - startedMs) / 1_000;
    await this.#writes(12);
    for (let step = from; step <= to && elapsed() < seconds; step += 1) {
      await this.#step(step);
      const isOver = this.#report.violations.length >= violationsMax || this.#watch.isOneDead;
      if (isOver) break;
    }
    const last = await this.#settled();
    if (last.length > 0) this.#violated(from + this.#report.steps, 'at the end', last, '');
    const files = this.#watch.filesWithSecrets();
    if (files.length > 0) this.#violated(from + this.#report.steps, 'files', files, '');
    const { violations } = this.#report;
    return {
      ...this.#report,
      good: violations.length === 0,
      seconds: Math.round(elapsed()),
      peakMiB: Math.round(this.#watch.peakBytes / 2 ** 20),
    };
  }

  async #step(step: number): Promise<void> {
    const { kind, act } = actOf(this.#options.seed, step);
    const role = kind === 'http' ? `${act.role} -> HTTP of ${act.target}` : act.role;
    this.#report.steps += 1;
    this.#report.byRole[role] = (this.#report.byRole[role] ?? 0) + 1;
    const sent = kind === 'http' ? this.#sendHttp(act) : this.#sendBus(act);
    const late = await this.#writes(1);
    await sent;
    const isTime = this.#report.steps % settleEvery === 0;
    const what = [...late, ...(isTime ? await this.#settled() : this.#watch.soon())];
    const since = isTime ? `one of the last ${settleEvery} steps, the last ${role}` : role;
    if (what.length > 0) this.#violated(step, since, what, messageOfAct(kind, act));
  }

  async #settled(): Promise<string[]> {
    return this.#watch.settled().catch((error: unknown) => [(error as Error).message]);
  }

  /** Writes of the honest hub. @returns what is wrong with how they were answered */
  async #writes(count: number): Promise<string[]> {
    const complaints: string[] = [];
    for (let written = 0; written < count; written += 1) {
      const { ms, complaint } = await this.#hub.write();
      this.#report.honestWrites += 1;
      this.#report.slowestWriteMs = Math.max(this.#report.slowestWriteMs, Math.round(ms));
      if (complaint !== null) complaints.push(complaint);
      else if (ms > answeredMs) complaints.push(`the next write took ${Math.round(ms)} ms`);
    }
    return complaints;
  }

  async #sendBus({ role, messages }: BusAct): Promise<void> {
    const connection = await this.#rig.as(role);
    for (const message of messages)
      if (published(connection, inboxFor(role), message)) this.#report.busMessages += 1;
    await connection.flush().catch(() => undefined);
  }

  async #sendHttp(act: HttpAct): Promise<void> {
    this.#report.httpRequests += act.requests.length;
    const answers = await sendHttp(this.#rig.ports[act.target], act);
    for (const answer of answers) this.#watch.heard(`HTTP of ${act.target} to ${act.role}`, answer);
  }

  #violated(step: number, role: string, what: string[], message: string): void {
    const { seed } = this.#options;
    const first = Math.max(1, step - (step % settleEvery === 0 ? settleEvery - 1 : 0));
    const reproduction = `npm run campaign:hostile -- 60 ${seed} --steps ${first}-${step}`;
    this.#report.violations.push({ seed, step, role, what, message, reproduction });
  }
}

/** Answers come to the inbox of the role, where they are listened to. */
function published(
  connection: NatsConnection,
  inbox: string,
  message: BusAct['messages'][number],
): boolean {
  const head = emptyHeaders();
  try {
    for (const [name, value] of message.headers) head.append(name, value);
    const reply = `${inbox}.answer`;
    connection.publish(message.subject, message.bytes, { headers: head, reply });
    return true;
  } catch {
    // The client library does not send a subject or a header that is none.
    return false;
  }
}

function messageOfAct(kind: Act['kind'], act: BusAct | HttpAct): string {
  const bytes = 'messages' in act ? act.messages[0]?.bytes : act.requests[0]?.bytes;
  const subject = 'messages' in act ? `${act.messages[0]?.subject} ` : '';
  const count = 'messages' in act ? act.messages.length : act.requests.length;
  const hex = Buffer.from(bytes ?? [])
    .subarray(0, hexBytesMax)
    .toString('hex');
  return `${kind} x${count} ${subject}${hex}${(bytes?.length ?? 0) > hexBytesMax ? '...' : ''}`;
}
