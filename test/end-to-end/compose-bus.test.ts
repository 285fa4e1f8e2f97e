/**
 * The bus of compose.yaml on a real nats-server: logins made by the script beside it, the printed
 * permissions, and nobody else let in.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'nats';
import { expect, test } from 'vitest';
import { permissionsOf, permissionsText, processes } from '../../cli/permissions.ts';
import { tidemark } from '../kit/processes/cli-fixture.ts';
import { SecuredNats } from '../kit/servers/secured-nats.ts';
import { tempDir } from '../kit/temp-dir.ts';
import { until } from '../kit/until.ts';

const folder = join(import.meta.dirname, '../../deploy/docker');

test('permissions.conf is what `tidemark permissions` prints, with the names of the passwords', () => {
  const text = readFileSync(join(folder, 'permissions.conf'), 'utf8');
  const settings = {
    hub: 'hub1',
    beacon: 'db-1',
    isOneWayOn: false,
    isLab: false,
    isUnscoped: false,
  };
  for (const process of processes) {
    const printed = permissionsText(process, permissionsOf(process, settings));
    expect(text).toContain(printed.replace('"..."', `$${process}_password`));
  }
  expect([...text.matchAll(/user: (\w+)/g)].map(([, user]) => user)).toEqual([...processes]);
});

test('the bus of compose.yaml lets in its users and nobody else, each to its own subjects', async () => {
  using dir = tempDir('compose');
  copyFileSync(join(folder, 'make-secrets.sh'), dir.at('make-secrets.sh'));
  const made = () => execFileSync('sh', ['make-secrets.sh'], { cwd: dir.path });
  made();
  const logins = readFileSync(dir.at('secrets', 'logins.conf'), 'utf8');
  made();
  expect(readFileSync(dir.at('secrets', 'logins.conf'), 'utf8')).toBe(logins);
  expect(statSync(dir.at('secrets', 'logins.conf')).mode & 0o077).toBe(0);

  await using nats = await SecuredNats.start((at) => {
    copyFileSync(dir.at('secrets', 'logins.conf'), at.at('logins.conf'));
    copyFileSync(join(folder, 'permissions.conf'), at.at('permissions.conf'));
    const config = readFileSync(join(folder, 'nats.conf'), 'utf8');
    return config
      .replace(/^(?:port|http): .*$/gm, '')
      .replace('/data', JSON.stringify(at.at('js')));
  });
  await expect(connect({ servers: nats.url, maxReconnectAttempts: 0 })).rejects.toThrow(
    /authorization/i,
  );
  mkdirSync(dir.at('nats', 'context'), { recursive: true });
  for (const user of processes)
    copyFileSync(dir.at('secrets', `${user}.json`), dir.at('nats', 'context', `${user}.json`));
  const status = (user: string) =>
    tidemark(['status', '--nats', nats.url], {
      env: { NATS_CONTEXT: user, XDG_CONFIG_HOME: dir.path },
    });
  // Let in, and told that no worker of the hub is there: not that the login is wrong.
  expect(await status('operator')).toMatchObject({ code: 4 });
  expect(nats.log).not.toMatch(/violation/i);
  const hub = JSON.parse(readFileSync(dir.at('secrets', 'hub.json'), 'utf8')) as {
    user: string;
    password: string;
  };
  const connection = await connect({ servers: nats.url, user: hub.user, pass: hub.password });
  connection.publish('tidemark.hub1.control.clear', '{}');
  await connection.flush();
  await until('the hub may not clear', () => /Publish Violation.*"hub"/.test(nats.log));
  await connection.close();
});
