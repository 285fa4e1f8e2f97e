/**
 * The minimal bus permissions of each process: subjects to publish and to subscribe to, as
 * nats-server checks them.
 */
import { capabilities, legacyCapabilities } from '../contracts/capability.ts';
import type { ControlVerb } from '../contracts/control-verbs.ts';
import { inboxOf, lanes, services, subjects } from '../contracts/subjects.ts';

export const processes = ['worker', 'beacon', 'hub', 'dropin', 'operator'] as const;
export type Process = (typeof processes)[number];

/**
 * `allow_responses`: a process that answers requests may publish to their reply subjects, once
 * each.
 */
export type Permissions = {
  publish: { allow: string[] };
  subscribe: { allow: string[] };
  allow_responses?: { max: number; expires: string };
};

export type PermissionSettings = {
  hub: string;
  /** The databeacon that the worker may reach, `*` for all. For a beacon its own id. */
  beacon: string;
  /** One-way messages: the hub sends them, and the worker takes them from a stream. */
  isOneWayOn: boolean;
  /** The worker serves the lab's routes, so it may assign for other hubs' workers. */
  isLab: boolean;
  /** Also allows beacons without hub subjects: foreign ones, legacy ones, and those of 0.1.0. */
  isUnscoped: boolean;
};

/**
 * Answers come within the longest timeout of a request, `limits.bootstrapStepMs` or
 * `limits.waitAppliedMsMax`; twice that leaves room for a loaded machine.
 */
const answering = { allow_responses: { max: 1, expires: '2m' } } as const;

export function permissionsOf(process: Process, settings: PermissionSettings): Permissions {
  switch (process) {
    case 'worker':
      return workerPermissions(settings);
    case 'beacon':
      return beaconPermissions(settings);
    case 'hub':
      return hubPermissions(settings);
    case 'dropin':
      return dropinPermissions(settings);
    case 'operator':
      return operatorPermissions(settings);
  }
}

const ownInbox = (name: string) => `${inboxOf(name)}.>`;

function asService(name: string): string[] {
  return (['PING', 'INFO', 'STATS'] as const).flatMap((verb) => [
    services.subject(verb),
    services.subject(verb, name),
    `${services.subject(verb, name)}.*`,
  ]);
}

/**
 * All actions that a worker requests from a beacon for its hub; larger requests are sent in chunks.
 */
const askedForHub: readonly (readonly [capability: string, actions: readonly string[]])[] = [
  [capabilities.batch, ['Apply', 'Mark', 'chunk']],
  [capabilities.proxy, ['Request', 'chunk']],
  [capabilities.schema, ['EnsureSchema']],
  [capabilities.management, ['Introspect', 'UpdateProxyConfig', 'EnableEndpoint']],
  [capabilities.access, ['ListConnections']],
];

const allCapabilities = Object.values({ ...capabilities, ...legacyCapabilities });

function workerPermissions(settings: PermissionSettings): Permissions {
  const { hub, beacon, isOneWayOn, isLab, isUnscoped } = settings;
  const inOthers: ControlVerb[] = isLab ? ['status', 'assign', 'clear'] : ['status'];
  const unscoped = isUnscoped ? allCapabilities : [];
  return {
    publish: {
      allow: [
        ...askedForHub.flatMap(([capability, actions]) =>
          actions.map((action) => subjects.capability(beacon, capability, action, hub)),
        ),
        ...unscoped.map((capability) => subjects.capabilityAll(beacon, capability)),
        subjects.eventAll(hub),
        // The console shows all workers on the bus.
        services.subject('PING', services.worker),
        ...inOthers.map((verb) => subjects.control('*', verb)),
        ...(isOneWayOn ? streamPermissions(hub) : []),
      ],
    },
    subscribe: {
      allow: [
        ...lanes.map((lane) => subjects.laneAll(hub, lane)),
        subjects.controlAll(hub),
        subjects.presenceAll,
        ...(isUnscoped ? [subjects.presenceBare] : []),
        subjects.event('*', 'state'),
        // Two workers of the hub find each other.
        subjects.event(hub, 'owner'),
        ...asService(services.worker),
        ownInbox(`tidemark-worker ${hub}`),
      ],
    },
    ...answering,
  };
}

/**
 * What a worker needs of JetStream: its stream, its one consumer, and the messages.
 * Acknowledgements may take longer than `allow_responses` permits.
 */
function streamPermissions(hub: string): string[] {
  const stream = subjects.oneWayStream(hub);
  const durable = 'tidemark-worker';
  return [
    '$JS.API.INFO',
    `$JS.API.STREAM.INFO.${stream}`,
    `$JS.API.STREAM.CREATE.${stream}`,
    `$JS.API.CONSUMER.INFO.${stream}.${durable}`,
    `$JS.API.CONSUMER.DELETE.${stream}.${durable}`,
    `$JS.API.CONSUMER.CREATE.${stream}.${durable}`,
    `$JS.API.CONSUMER.MSG.NEXT.${stream}.${durable}`,
    `$JS.ACK.${stream}.${durable}.>`,
  ];
}

function beaconPermissions({ beacon }: PermissionSettings): Permissions {
  return {
    // To detect another beacon of its name, before it starts and while it runs.
    publish: { allow: [subjects.presence(beacon), services.subject('INFO', services.beacon)] },
    subscribe: {
      allow: [
        ...allCapabilities.map((capability) => subjects.capabilityAll(beacon, capability)),
        ...Object.values(capabilities).map((capability) =>
          subjects.capabilityForHubs(beacon, capability),
        ),
        ...asService(services.beacon),
        subjects.presence(beacon),
        ownInbox(`databeacon ${beacon}`),
      ],
    },
    ...answering,
  };
}

/** For the hub's own connection and for `tidemark publish`, each with its own inbox. */
function hubPermissions({ hub, isOneWayOn }: PermissionSettings): Permissions {
  return {
    publish: {
      allow: [
        ...lanes.map((lane) => subjects.laneAll(hub, lane)),
        ...(isOneWayOn ? [subjects.oneWayAll(hub)] : []),
      ],
    },
    subscribe: {
      allow: [
        subjects.eventAll(hub),
        ownInbox(`tidemark-hub ${hub}`),
        ownInbox('tidemark-publish'),
      ],
    },
  };
}

/**
 * The bridges in a hub's process also read the worker's status, listen for its changes, and name the
 * hubs and databeacons that there are when theirs is not among them.
 */
function dropinPermissions({ hub }: PermissionSettings): Permissions {
  return {
    publish: {
      allow: [
        ...lanes.map((lane) => subjects.laneAll(hub, lane)),
        subjects.control(hub, 'status'),
        services.subject('INFO', services.worker),
        services.subject('INFO', services.beacon),
      ],
    },
    subscribe: { allow: [subjects.event(hub, 'state'), ownInbox(`tidemark-bridge ${hub}`)] },
  };
}

/** `doctor` also reads the schema of the database, and asks the server for its time. */
function operatorPermissions({ hub, beacon }: PermissionSettings): Permissions {
  const looks = [
    subjects.capability(beacon, capabilities.schema, 'IntrospectSchema'),
    `$JS.API.STREAM.INFO.${subjects.oneWayStream(hub)}`,
  ];
  return {
    publish: {
      allow: [
        subjects.controlAll(hub),
        ...looks,
        '$JS.API.INFO',
        ...(['PING', 'INFO', 'STATS'] as const).flatMap((verb) => [
          services.subject(verb),
          `${services.subject(verb)}.>`,
        ]),
      ],
    },
    subscribe: {
      allow: [
        subjects.presenceAll,
        subjects.eventAll(hub),
        ...['tidemark-cli', 'tidemark-up'].map(ownInbox),
      ],
    },
  };
}

/**
 * One user of nats-server's `authorization { users = [ ... ] }`; the operator adds name and
 * credentials.
 */
export function permissionsText(
  process: Process,
  { publish, subscribe, allow_responses: answers }: Permissions,
): string {
  const list = (name: string, { allow }: { allow: string[] }) => [
    `      ${name}: { allow: [`,
    ...allow.map((subject) => `        ${JSON.stringify(subject)}`),
    '      ] }',
  ];
  return [
    `  # ${process}`,
    '  {',
    `    user: ${process}, password: "..."`,
    '    permissions: {',
    ...list('publish', publish),
    ...list('subscribe', subscribe),
    ...(answers
      ? [
          `      allow_responses: { max: ${answers.max}, expires: ${JSON.stringify(answers.expires)} }`,
        ]
      : []),
    '    }',
    '  }',
  ].join('\n');
}
