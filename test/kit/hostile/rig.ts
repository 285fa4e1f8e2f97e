/**
 * What a hostile campaign attacks: a nats-server with a login for each role, a worker, two
 * databeacons and an `up`, all real processes with secrets planted in their settings.
 */
import { Buffer } from 'node:buffer';
import { existsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import Database from 'better-sqlite3';
import { connect, type NatsConnection } from 'nats';
import { freePort } from '../../../runtime/bus/nats-server.ts';
import type { WorkerStatus } from '../../../contracts/status.ts';
import { decodeBody } from '../../../contracts/body/codec.ts';
import { TidemarkProcess } from '../processes/processes.ts';
import { SecuredNats } from '../servers/secured-nats.ts';
import { type TempDir, tempDir } from '../temp-dir.ts';
import { until } from '../until.ts';
import type { HttpTarget } from './http-acts.ts';
import { inboxFor, type RoleName, roleNames, serverUsers } from './roles.ts';

/** Stands in every secret, so that one look finds any of them. */
export const secretMark = 'PlantedSecret';
const secret = (name: string) => `${secretMark}-${name}-0123456789`;
/** The viewer's token is the one that a stranger knows. */
export const viewToken = 'a-token-that-may-look-0123456789';
const operatorToken = secret('operator-token');

/** Memory, where the system has it: what is measured is not its disk. */
const memoryFolder = '/dev/shm';

const passwords = Object.fromEntries(
  roleNames.map((name) => [name, secret(`password-of-${name}`)]),
) as Record<RoleName, string>;
const login = (name: RoleName) => ({ NATS_USER: name, NATS_PASSWORD: passwords[name] });

export class HostileRig implements AsyncDisposable {
  readonly nats: SecuredNats;
  readonly processes: Readonly<Record<'worker' | 'db-1' | 'db-2' | 'up', TidemarkProcess>>;
  readonly ports: Readonly<Record<HttpTarget, number>>;
  readonly #dir: TempDir;
  readonly #connections = new Map<RoleName, NatsConnection>();
  readonly #opened: NatsConnection[] = [];

  private constructor(nats: SecuredNats, dir: TempDir, ports: HostileRig['ports']) {
    this.nats = nats;
    this.ports = ports;
    this.#dir = dir;
    this.processes = startedIn(dir, nats.url, ports);
  }

  static async start(): Promise<HostileRig> {
    const dir = tempDir('hostile', existsSync(memoryFolder) ? memoryFolder : tmpdir());
    plantOthersTable(dir.at('backend-1.sqlite'));
    writeFileSync(
      dir.at('db-1.databases'),
      `sqlite:${dir.at('backend-1.sqlite')}\npostgres://ann:${secret('db')}@127.0.0.1:1/x\n`,
      { mode: 0o600 },
    );
    const nats = await SecuredNats.start(
      () =>
        `max_payload: 8MB\njetstream { store_dir: ${JSON.stringify(dir.at('js'))} }\n${serverUsers(passwords)}`,
    );
    const ports = { worker: await freePort(), 'db-1': await freePort(), up: await freePort() };
    const rig = new HostileRig(nats, dir, ports);
    try {
      await Promise.race([rig.#ready(), rig.#oneEnded()]);
      return rig;
    } catch (error) {
      const logs = Object.entries(rig.processes).map(([name, one]) => `${name}:\n${one.tail()}`);
      await rig[Symbol.asyncDispose]();
      throw new Error(`the processes did not come up\n${logs.join('\n')}`, { cause: error });
    }
  }

  async #oneEnded(): Promise<never> {
    const ends = Object.entries(this.processes).map(async ([name, one]) => {
      throw new Error(`${name} ended: ${await one.exited}`);
    });
    return Promise.race(ends);
  }

  async #ready(): Promise<void> {
    await until('the worker answers', () => this.status(), { deadlineMs: 45_000 });
    await this.control('assign', { BeaconID: 'db-1', IDBeaconConnection: 1 });
    await until(
      'both lanes are bootstrapped',
      async () => (await this.status()).State === 'bootstrapped',
      { deadlineMs: 45_000 },
    );
    await until('`up` is ready', () => this.processes.up.stdout.includes('ready '), {
      deadlineMs: 45_000,
    });
  }

  /** The one connection of a role. */
  async as(role: RoleName): Promise<NatsConnection> {
    const there = this.#connections.get(role);
    if (there && !there.isClosed()) return there;
    const connection = await this.connection(role);
    this.#connections.set(role, connection);
    return connection;
  }

  /** One more connection as that role has, with an inbox of its own. */
  async connection(role: RoleName): Promise<NatsConnection> {
    const connection = await connect({
      servers: this.nats.url,
      user: role,
      pass: passwords[role],
      inboxPrefix: inboxFor(role),
      maxReconnectAttempts: -1,
      reconnectTimeWait: 50,
    });
    this.#opened.push(connection);
    return connection;
  }

  /** As the operator of hub1. */
  async control(verb: string, body: object = {}): Promise<Record<string, unknown>> {
    const operator = await this.as('operator1');
    const subject = `tidemark.hub1.control.${verb}`;
    const reply = await operator.request(subject, Buffer.from(JSON.stringify(body)), {
      timeout: 10_000,
    });
    return decodeBody(reply.data, reply.headers) as Record<string, unknown>;
  }

  async status(): Promise<WorkerStatus> {
    return (await this.control('status')) as unknown as WorkerStatus;
  }

  /** With the operator's token. */
  async operatorCall(method: string, path: string): Promise<{ status: number; text: string }> {
    const answer = await fetch(`http://127.0.0.1:${this.ports.worker}${path}`, {
      method,
      headers: { Authorization: `Bearer ${operatorToken}` },
      signal: AbortSignal.timeout(10_000),
    });
    return { status: answer.status, text: await answer.text() };
  }

  at(...parts: string[]): string {
    return this.#dir.at(...parts);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#opened.map((one) => one.close()));
    // `up` takes its children along when it is asked to stop.
    await this.processes.up.stop().catch(() => undefined);
    await Promise.all(Object.values(this.processes).map((one) => one.kill()));
    await this.nats[Symbol.asyncDispose]();
    this.#dir[Symbol.dispose]();
  }
}

/** A table of somebody else's in the same database, whose rows are a secret too. */
function plantOthersTable(path: string): void {
  const db = new Database(path);
  db.exec('create table Payroll (IDPayroll integer primary key, Name text, Salary text)');
  db.prepare('insert into Payroll values (1, ?, ?)').run('ann', secret('salary'));
  db.close();
}

function startedIn(dir: TempDir, url: string, ports: HostileRig['ports']) {
  const beacon = (id: 'db-1' | 'db-2', more: string[]) =>
    new TidemarkProcess(['beacon', '--id', id, '--data', dir.at(id), '--nats', url, ...more], {
      ...login(id),
      TIDEMARK_TOKEN: operatorToken,
      TIDEMARK_VIEW_TOKEN: viewToken,
    });
  const http = (target: HttpTarget) => ['--http', `127.0.0.1:${ports[target]}`];
  const tokens = { TIDEMARK_TOKEN: operatorToken, TIDEMARK_VIEW_TOKEN: viewToken };
  return {
    worker: new TidemarkProcess(
      [
        'worker',
        '--data',
        dir.at('worker'),
        '--nats',
        url,
        '--intake',
        'jetstream',
        '--any-file-system',
        ...http('worker'),
      ],
      { ...login('worker1'), ...tokens },
    ),
    'db-1': beacon('db-1', ['--db-file', dir.at('db-1.databases'), ...http('db-1')]),
    'db-2': beacon('db-2', ['--db', `sqlite:${dir.at('backend-2.sqlite')}`]),
    up: new TidemarkProcess(
      ['up', '--data', dir.at('up'), '--any-file-system', ...http('up')],
      tokens,
    ),
  };
}
