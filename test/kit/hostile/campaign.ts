/**
 * Runs a hostile campaign: step after step from a seed, each made from the seed and its number
 * alone, so that any of them can be sent again without those before.
 */
import { Buffer } from 'node:buffer';
import { headers as emptyHeaders, type NatsConnection } from 'nats';
import { type Act, actOf, messageOf, roleOf } from './acts.ts';
import type { BusAct } from './bus-acts.ts';
import { HonestHub } from './honest-hub.ts';
import { type HttpAct, sendHttp } from './http-acts.ts';
import { HostileRig } from './rig.ts';
import { inboxFor, permissionsFor, type Stranger, strangers } from './roles.ts';
import { Watch } from './watch.ts';

export type CampaignOptions = {
  seconds: number;
  seed: number;
  /** Only these steps. */
  steps?: { from: number; to: number };
  /** These, in place of those of the seed. */
  acts?: readonly Act[];
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
  /** What strangers were answered, by code. */
  answers: Record<string, number>;
  violations: Violation[];
};

const answeredMs = 1_000;
/** Steps between two looks at everything. */
const settleEvery = 40;
/** After so many nothing new is learnt. */
const violationsMax = 5;

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
      answers: {},
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
          if (message?.subject === `${inboxFor(role)}.answer`)
            this.#count('answers', message.headers?.get('Nats-Service-Error-Code') || 'done');
        },
      });
  }

  async run(): Promise<CampaignReport> {
    const { seconds, acts } = this.#options;
    const last = acts?.length ?? Number.MAX_SAFE_INTEGER;
    const { from, to } = this.#options.steps ?? { from: 1, to: last };
    const startedMs = performance.now();
    const elapsed = () => (performance.now() - startedMs) / 1_000;
    await this.#writes(12);
    for (let step = from; step <= to && elapsed() < seconds; step += 1) {
      await this.#step(step);
      const isOver = this.#report.violations.length >= violationsMax || this.#watch.isOneDead;
      if (isOver) break;
    }
    const end = await this.#settled();
    if (end.length > 0) this.#violated(from + this.#report.steps, 'at the end', end, '');
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
    const { seed, acts } = this.#options;
    const sending = acts?.[step - 1] ?? actOf(seed, step);
    const role = roleOf(sending);
    this.#report.steps += 1;
    this.#count('byRole', role);
    const sent = sending.kind === 'http' ? this.#sendHttp(sending.act) : this.#sendBus(sending.act);
    const late = await this.#writes(1);
    await sent;
    const isTime = this.#report.steps % settleEvery === 0;
    const what = [...late, ...(isTime ? await this.#settled() : this.#watch.soon())];
    const since = isTime ? `one of the last ${settleEvery} steps, the last ${role}` : role;
    if (what.length > 0) this.#violated(step, since, what, messageOf(sending));
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
    for (const answer of answers) {
      this.#watch.heard(`HTTP of ${act.target} to ${act.role}`, answer);
      this.#count('answers', `HTTP ${/^HTTP\S* (\d+)/.exec(answer)?.[1] ?? 'none'}`);
    }
  }

  #count(what: 'byRole' | 'answers', name: string): void {
    const counts = this.#report[what];
    counts[name] = (counts[name] ?? 0) + 1;
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
