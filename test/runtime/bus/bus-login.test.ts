/**
 * Logging in to a real bus each way there is, rightly and wrongly; a wrong one is told in one line,
 * and once.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import {
  createAccount,
  createOperator,
  createUser,
  encodeAccount,
  encodeOperator,
  encodeUser,
  fmtCreds,
} from '@nats-io/jwt';
import { describe, expect, test } from 'vitest';
import { tidemark } from '../../kit/processes/cli-fixture.ts';
import { TidemarkProcess } from '../../kit/processes/processes.ts';
import type { TempDir } from '../../kit/temp-dir.ts';
import { until } from '../../kit/until.ts';
import { SecuredNats } from '../../kit/servers/secured-nats.ts';

type Env = Record<string, string>;
type Case = {
  name: string;
  scheme?: string;
  /** Writes what the server and the clients need; the server's configuration. */
  server: (dir: TempDir) => string | Promise<string>;
  right: (dir: TempDir) => Env;
  wrong: (dir: TempDir) => Env;
  /** What a wrong login is told. */
  says: RegExp;
  /** Exit code of the command line; 2 unless the server only hangs up. */
  code?: number;
};

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();

/** A root, a server and a client of it, and a client of another root. */
function certificates(dir: TempDir): void {
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'ignore' });
  for (const root of ['ca', 'other-ca'])
    openssl(
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-days',
      '2',
      '-subj',
      `/CN=${root}`,
      '-keyout',
      dir.at(`${root}.key`),
      '-out',
      dir.at(`${root}.pem`),
    );
  for (const [name, root] of [
    ['server', 'ca'],
    ['client', 'ca'],
    ['stranger', 'other-ca'],
  ] as const) {
    openssl(
      'req',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-subj',
      `/CN=${name}`,
      '-keyout',
      dir.at(`${name}.key`),
      '-out',
      dir.at(`${name}.csr`),
    );
    writeFileSync(dir.at(`${name}.ext`), 'subjectAltName=IP:127.0.0.1,DNS:localhost');
    openssl(
      'x509',
      '-req',
      '-in',
      dir.at(`${name}.csr`),
      '-CA',
      dir.at(`${root}.pem`),
      '-CAkey',
      dir.at(`${root}.key`),
      '-CAcreateserial',
      '-days',
      '2',
      '-extfile',
      dir.at(`${name}.ext`),
      '-out',
      dir.at(`${name}.pem`),
    );
  }
}

const tls = (dir: TempDir, more = '') => {
  certificates(dir);
  return (
    `tls { cert_file: ${JSON.stringify(dir.at('server.pem'))}, key_file: ` +
    `${JSON.stringify(dir.at('server.key'))}${more} }`
  );
};

/**
 * An operator, an account with JetStream, a user of it and one of an account the server does not
 * know.
 */
async function jwts(dir: TempDir): Promise<string> {
  const [operator, account, stranger] = [createOperator(), createAccount(), createAccount()];
  for (const [name, issuer] of [
    ['right', account],
    ['wrong', stranger],
  ] as const) {
    const user = createUser();
    writeFileSync(dir.at(`${name}.creds`), fmtCreds(await encodeUser(name, user, issuer), user));
  }
  writeFileSync(dir.at('broken.creds'), '-----BEGIN NATS USER JWT-----\nsecret-of-the-file\n');
  const limits = {
    conn: -1,
    subs: -1,
    data: -1,
    payload: -1,
    leaf: -1,
    imports: -1,
    exports: -1,
    wildcards: true,
  };
  const accountJwt = await encodeAccount('account', account, { limits }, { signer: operator });
  return [
    `operator: ${await encodeOperator('operator', operator)}`,
    'resolver: MEMORY',
    `resolver_preload: { ${account.getPublicKey()}: ${accountJwt} }`,
  ].join('\n');
}

function nkeys(dir: TempDir): string {
  const [right, wrong] = [createUser(), createUser()];
  writeFileSync(dir.at('right.nk'), `# user\n${text(right.getSeed())}\n`);
  writeFileSync(dir.at('wrong.nk'), `${text(wrong.getSeed())}\n`);
  return `authorization { users = [ { nkey: ${right.getPublicKey()} } ] }`;
}

const refused = /rejected our login: .*uthorization/i;
const noTrust = /TLS with the bus at .* failed: /;

const cases: Case[] = [
  {
    name: 'user and password',
    server: () => 'authorization { user: ann, password: "right-word" }',
    right: () => ({ NATS_USER: 'ann', NATS_PASSWORD: 'right-word' }),
    wrong: () => ({ NATS_USER: 'ann', NATS_PASSWORD: 'wrong-word' }),
    says: refused,
  },
  {
    name: 'nobody at all',
    server: () => 'authorization { user: ann, password: "right-word" }',
    right: () => ({ NATS_USER: 'ann', NATS_PASSWORD: 'right-word' }),
    wrong: () => ({}),
    says: refused,
  },
  {
    name: 'token',
    server: () => 'authorization { token: "right-token" }',
    right: () => ({ NATS_TOKEN: 'right-token' }),
    wrong: () => ({ NATS_TOKEN: 'wrong-token' }),
    says: refused,
  },
  {
    name: 'nkey',
    server: nkeys,
    right: (dir) => ({ NATS_NKEY: dir.at('right.nk') }),
    wrong: (dir) => ({ NATS_NKEY: dir.at('wrong.nk') }),
    says: refused,
  },
  {
    name: 'creds',
    server: jwts,
    right: (dir) => ({ NATS_CREDS: dir.at('right.creds') }),
    wrong: (dir) => ({ NATS_CREDS: dir.at('wrong.creds') }),
    says: refused,
  },
  {
    name: 'TLS',
    scheme: 'tls',
    server: tls,
    right: (dir) => ({ NATS_CA: dir.at('ca.pem') }),
    wrong: (dir) => ({ NATS_CA: dir.at('other-ca.pem') }),
    says: noTrust,
  },
  {
    name: 'TLS without knowing the root',
    scheme: 'tls',
    server: tls,
    right: (dir) => ({ NATS_CA: dir.at('ca.pem') }),
    wrong: () => ({}),
    says: noTrust,
  },
  {
    name: 'mutual TLS',
    server: (dir) => tls(dir, `, ca_file: ${JSON.stringify(dir.at('ca.pem'))}, verify: true`),
    right: (dir) => ({
      NATS_CA: dir.at('ca.pem'),
      NATS_CERT: dir.at('client.pem'),
      NATS_KEY: dir.at('client.key'),
    }),
    wrong: (dir) => ({
      NATS_CA: dir.at('ca.pem'),
      NATS_CERT: dir.at('stranger.pem'),
      NATS_KEY: dir.at('stranger.key'),
    }),
    says: /may reject our certificate/,
    code: 4,
  },
];

const secrets = /right-word|wrong-word|right-token|wrong-token|SUA[A-Z2-7]{20}|secret-of-the-file/;

describe.each(cases)('$name', ({ server, scheme, right, wrong, says, code = 2 }) => {
  test('lets a worker in that is right; a wrong one says so once and tries on, the command line once', async () => {
    await using nats = await SecuredNats.start(server, scheme);
    const worker = (name: string, env: Env) =>
      new TidemarkProcess(
        [
          'worker',
          '--hub',
          name,
          '--data',
          nats.dir.at(name),
          '--http',
          '127.0.0.1:0',
          '--nats',
          nats.url,
        ],
        env,
      );
    await using good = worker('good', right(nats.dir));
    await using bad = worker('bad', wrong(nats.dir));
    await until('the right one is up', () => good.stderr.includes('worker is up'));
    expect(
      (await tidemark(['status', '--hub', 'good', '--nats', nats.url], { env: right(nats.dir) }))
        .code,
    ).toBe(0);
    const ran = await tidemark(['status', '--hub', 'good', '--nats', nats.url], {
      env: wrong(nats.dir),
    });
    expect([ran.code, ran.stderr.trim().split('\n').length, says.test(ran.stderr)]).toEqual([
      code,
      1,
      true,
    ]);
    await until('the wrong one says why', () => says.test(bad.stderr));
    const tries = () => nats.log.split('\n').filter((line) => /\[ERR\]/.test(line)).length;
    const before = tries();
    await until('it goes on trying', () => tries() > before + 2);
    expect(bad.stderr.split('\n').filter((line) => says.test(line))).toHaveLength(1);
    expect(bad.isRunning).toBe(true);
    expect(ran.stderr + good.stderr + bad.stderr).not.toMatch(secrets);
  }, 120_000);
});

test('a credentials file that holds none is reported without its content; so is TLS at a server without', async () => {
  await using nats = await SecuredNats.start(jwts);
  writeFileSync(nats.dir.at('no.nk'), 'secret-of-the-file\n');
  const ask = (env: Env, url = nats.url) => tidemark(['status', '--nats', url], { env });
  for (const [env, says] of [
    [{ NATS_CREDS: nats.dir.at('broken.creds') }, 'creds '],
    [{ NATS_NKEY: nats.dir.at('no.nk') }, 'contains no nkey seed'],
  ] as const) {
    const ran = await ask(env);
    expect([ran.code, ran.stderr.trim().split('\n').length]).toEqual([2, 1]);
    expect(ran.stderr).toContain(says);
    expect(ran.stderr).not.toMatch(secrets);
  }
  expect(await ask({}, nats.url.replace('nats:', 'tls:'))).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(noTrust) as string,
  });
}, 120_000);
