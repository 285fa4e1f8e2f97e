/** Bus and login from a context of the nats command line. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { tidemark } from '../../kit/processes/cli-fixture.ts';
import { TidemarkProcess } from '../../kit/processes/processes.ts';
import { until } from '../../kit/until.ts';
import { SecuredNats } from '../../kit/servers/secured-nats.ts';

type Env = Record<string, string>;

const refused = /rejected our login: .*uthorization/i;

const secrets = /right-word|wrong-word|right-token|wrong-token|SUA[A-Z2-7]{20}|secret-of-the-file/;

describe('contexts of the nats command line', () => {
  test('name bus and login: by a flag above the environment, by NATS_CONTEXT below it', async () => {
    await using nats = await SecuredNats.start(
      () => 'authorization { user: ann, password: "right-word" }',
    );
    const contexts = nats.dir.at('config', 'nats', 'context');
    mkdirSync(contexts, { recursive: true });
    const write = (name: string, content: unknown) =>
      writeFileSync(
        `${contexts}/${name}.json`,
        typeof content === 'string' ? content : JSON.stringify(content),
      );
    write('prod', {
      description: 'x',
      url: nats.url,
      user: 'ann',
      password: 'right-word',
      creds: '',
      color_scheme: '',
      nsc: '',
    });
    write('wrong', { url: nats.url, user: 'ann', password: 'wrong-word' });
    write('nsc', { url: nats.url, nsc: 'nsc://a/b/c' });
    write('broken', '{ "password": right-word }');
    await using worker = new TidemarkProcess(
      ['worker', '--data', nats.dir.at('w'), '--http', '127.0.0.1:0', '--context', 'prod'],
      { XDG_CONFIG_HOME: nats.dir.at('config') },
    );
    await until('the worker is up', () => worker.stderr.includes('worker is up'));
    const run = async (args: string[], env: Env = {}) => {
      const ran = await tidemark(['status', ...args], {
        env: { XDG_CONFIG_HOME: nats.dir.at('config'), ...env },
      });
      expect(ran.stderr).not.toMatch(secrets);
      return ran;
    };
    expect((await run(['--context', 'prod'])).code).toBe(0);
    expect((await run([], { NATS_CONTEXT: 'prod' })).code).toBe(0);
    expect((await run(['--context', 'prod'], { NATS_PASSWORD: 'wrong-word' })).code).toBe(0);
    expect((await run([], { NATS_CONTEXT: 'prod', NATS_PASSWORD: 'wrong-word' })).code).toBe(2);
    expect((await run(['--context', 'prod', '--nats', 'nats://127.0.0.1:1'])).code).toBe(4);
    expect((await run(['--context', 'wrong'])).stderr).toMatch(refused);
    for (const [name, says] of [
      ['none', /there is no file .*none\.json/],
      ['nsc', /nsc is not spoken here/],
      ['broken', /is no JSON/],
      ['../x', /is no name of one/],
    ] as const) {
      expect(await run(['--context', name])).toMatchObject({
        code: 2,
        stderr: expect.stringMatching(says) as string,
      });
    }
    const home = await tidemark(['status'], {
      env: { HOME: nats.dir.at('home'), XDG_CONFIG_HOME: '', NATS_CONTEXT: 'prod' },
    });
    expect(home.stderr).toContain(nats.dir.at('home', '.config', 'nats', 'context', 'prod.json'));
  }, 120_000);
});
