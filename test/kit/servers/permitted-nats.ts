/** A real nats-server whose users may do exactly what `tidemark permissions` prints for them. */
import { tidemark } from '../processes/cli-fixture.ts';
import { SecuredNats } from './secured-nats.ts';

/** User -> arguments of `tidemark permissions`. The password of each is `pw`. */
const users = {
  worker: ['worker', '--beacon', '*'],
  beacon: ['beacon', '--beacon', 'db-1'],
  second: ['beacon', '--beacon', 'db-2'],
  hub: ['hub'],
  dropin: ['dropin'],
  operator: ['operator', '--beacon', '*'],
} as const;
export type Role = keyof typeof users;

export const login = (user: Role) => ({ NATS_USER: user, NATS_PASSWORD: 'pw' });

/** The printed user, under the name of its role. */
async function printed(role: Role): Promise<string> {
  const { stdout } = await tidemark(['permissions', ...users[role]], {
    env: { TIDEMARK_INTAKE: 'jetstream' },
  });
  const from = stdout.indexOf('  {\n');
  return stdout
    .slice(from, stdout.lastIndexOf('  ]'))
    .replace(/user: \w+, password: "\.\.\."/, `user: ${role}, password: "pw"`);
}

export async function startPermitted(): Promise<SecuredNats> {
  const all = await Promise.all((Object.keys(users) as Role[]).map(printed));
  return SecuredNats.start(
    (dir) =>
      `jetstream { store_dir: ${JSON.stringify(dir.at('js'))} }\n` +
      `authorization { users = [\n${all.join('\n')}\n] }`,
  );
}
