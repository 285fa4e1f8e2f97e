/** Who is on the bus of a hostile campaign, each with exactly what `tidemark permissions` prints. */
import {
  type Permissions,
  permissionsOf,
  permissionsText,
  type Process,
} from '../../../cli/permissions.ts';
import { inboxOf } from '../../../contracts/subjects.ts';

export const roleNames = [
  'hub1',
  'worker1',
  'db-1',
  'db-2',
  'operator1',
  'hub2',
  'worker2',
  'db-3',
  'operator2',
  'guest',
] as const;
export type RoleName = (typeof roleNames)[number];

/** Those who send what they should not. The other three are the honest processes. */
export const strangers = [
  'hub1',
  'operator1',
  'hub2',
  'worker2',
  'db-3',
  'operator2',
  'guest',
] as const satisfies RoleName[];
export type Stranger = (typeof strangers)[number];

type Role = { process: Process | null; hub: string; beacon: string; connection: string };

const roles: Record<RoleName, Role> = {
  hub1: { process: 'hub', hub: 'hub1', beacon: 'db-1', connection: 'tidemark-hub hub1' },
  worker1: { process: 'worker', hub: 'hub1', beacon: 'db-1', connection: 'tidemark-worker hub1' },
  'db-1': { process: 'beacon', hub: 'hub1', beacon: 'db-1', connection: 'databeacon db-1' },
  'db-2': { process: 'beacon', hub: 'hub1', beacon: 'db-2', connection: 'databeacon db-2' },
  operator1: { process: 'operator', hub: 'hub1', beacon: 'db-1', connection: 'tidemark-cli' },
  hub2: { process: 'hub', hub: 'hub2', beacon: 'db-1', connection: 'tidemark-hub hub2' },
  worker2: { process: 'worker', hub: 'hub2', beacon: 'db-1', connection: 'tidemark-worker hub2' },
  'db-3': { process: 'beacon', hub: 'hub2', beacon: 'db-3', connection: 'databeacon db-3' },
  operator2: { process: 'operator', hub: 'hub2', beacon: 'db-3', connection: 'tidemark-cli' },
  guest: { process: null, hub: 'guest', beacon: 'guest', connection: 'guest' },
};

/** Whoever nats-server admits, without a right to anything of ours. */
const guestPermissions: Permissions = {
  publish: { allow: ['guest.>', `${inboxOf('guest')}.>`] },
  subscribe: { allow: ['guest.>', `${inboxOf('guest')}.>`] },
};

export function permissionsFor(name: RoleName): Permissions {
  const { process, hub, beacon } = roles[name];
  if (process === null) return guestPermissions;
  return permissionsOf(process, { hub, beacon, isOneWayOn: true, isLab: false, isUnscoped: false });
}

export function inboxFor(name: RoleName): string {
  return inboxOf(roles[name].connection);
}

/** Logins of all roles, as nats-server reads them. `passwords` are the secrets of the campaign. */
export function serverUsers(passwords: Readonly<Record<RoleName, string>>): string {
  const users = roleNames.map((name) => {
    const process = roles[name].process ?? 'hub';
    return permissionsText(process, permissionsFor(name)).replace(
      `user: ${process}, password: "..."`,
      `user: ${JSON.stringify(name)}, password: ${JSON.stringify(passwords[name])}`,
    );
  });
  return `authorization {\n  users = [\n${users.join('\n')}\n  ]\n}`;
}
