/**
 * Writes contracts/contract.schema.json from the code that checks requests, for hubs in other
 * languages. Run it with `npm run contract`.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readActions, settingsSchemas, writeActions } from '../contracts/actions.ts';
import { refusalStatus } from '../contracts/errors.ts';
import { limits } from '../contracts/limits.ts';

export const contractSchemaPath = join(
  import.meta.dirname,
  '..',
  'contracts',
  'contract.schema.json',
);

type Schema = Record<string, unknown>;

const guid = {
  type: 'string',
  pattern: '^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$',
  description: 'a UUID of any version',
};
const isoTime = { type: 'string', format: 'date-time' };
const ref = (name: string): Schema => ({ $ref: `#/$defs/${name}` });
const text = { type: 'string' };
const yes = { const: true };

const stamp = {
  EventGUID: ref('EventGUID'),
  At: { ...isoTime, description: 'the time of the sender, informational' },
  RemoteUser: { type: 'string', maxLength: limits.remoteUserCharsMax },
};

const wait = {
  Wait: { enum: ['synced', 'applied'] },
  WaitMs: {
    type: 'number',
    exclusiveMinimum: 0,
    description: `at most ${limits.waitAppliedMsMax}; a larger value is reduced to that`,
  },
};

function object(
  properties: Schema,
  required: readonly string[] = Object.keys(properties),
  description?: string,
): Schema {
  return {
    ...(description ? { description } : {}),
    type: 'object',
    properties,
    required: [...required],
  };
}

function envelopes(): Schema {
  const all: Schema = {};
  for (const action of writeActions) {
    all[`${action}.request`] = object({ ...stamp, ...wait, Settings: ref(`${action}.Settings`) }, [
      'EventGUID',
      'Settings',
    ]);
  }
  for (const action of readActions) {
    all[`${action}.request`] = object(
      { RemoteUser: stamp.RemoteUser, Settings: ref(`${action}.Settings`) },
      ['Settings'],
    );
  }
  return all;
}

function settings(): Schema {
  return Object.fromEntries(
    Object.entries(settingsSchemas).map(([action, schema]) => [`${action}.Settings`, schema]),
  );
}

function requests(): Schema {
  return {
    EventGUID: guid,
    Envelope: object(
      { ...stamp, ...wait, Settings: { type: 'object' } },
      ['Settings'],
      'body of a request; EventGUID is required on writes',
    ),
    ...settings(),
    ...envelopes(),
    BatchItem: {
      oneOf: writeActions.map((action) =>
        object({ Action: { const: action }, ...stamp, Settings: ref(`${action}.Settings`) }, [
          'Action',
          'EventGUID',
          'Settings',
        ]),
      ),
    },
    BatchRequest: object({
      Items: { type: 'array', maxItems: limits.batchItemsMax, items: ref('BatchItem') },
    }),
    Chunk: object(
      {
        Transfer: guid,
        Index: { type: 'integer', minimum: 0 },
        Count: { type: 'integer', minimum: 1, maximum: limits.chunksMax },
        Data: { ...text, contentEncoding: 'base64', description: 'binary in MessagePack' },
        Action: { enum: [...writeActions, ...readActions, 'batch'] },
        ContentType: { enum: ['application/json', 'application/msgpack'] },
        ContentEncoding: { enum: ['', 'gzip'] },
      },
      ['Transfer', 'Index', 'Count', 'Data'],
      "a piece of a body above the server's max_payload; Action and the Content fields " +
        'are of the whole, which may carry its Action itself',
    ),
  };
}

function replies(): Schema {
  return {
    WriteReply: object(
      {
        Available: yes,
        Success: yes,
        Durability: { enum: ['synced', 'applied'] },
        Seq: { type: 'integer', minimum: 1 },
        EventGUID: ref('EventGUID'),
        Duplicate: { type: 'boolean' },
        Reason: text,
      },
      ['Available', 'Success', 'Durability', 'Seq', 'EventGUID', 'Duplicate'],
    ),
    ReadReply: object(
      {
        Available: yes,
        Success: yes,
        Source: { enum: ['beacon', 'merged', 'journal'] },
        AsOf: isoTime,
        Next: text,
        Partial: {
          type: 'boolean',
          description:
            'answered from the journal alone, which no longer has older writes that the database has',
        },
        WorkItem: { type: ['object', 'null'] },
        WorkItems: { type: 'array' },
        Events: { type: 'array' },
        Manifest: { type: ['object', 'null'] },
        Row: { type: ['object', 'null'] },
        Manifests: { type: 'array' },
      },
      ['Available', 'Success', 'Source', 'AsOf'],
    ),
    Refusal: object(
      {
        Available: { type: 'boolean' },
        Success: { const: false },
        Code: { enum: Object.keys(refusalStatus) },
        Reason: text,
        RetryAfterMs: { type: 'number', minimum: 0 },
      },
      ['Available', 'Success', 'Code', 'Reason'],
    ),
    BatchReply: object({
      Success: { type: 'boolean' },
      Results: { type: 'array', items: { oneOf: [ref('WriteReply'), ref('Refusal')] } },
    }),
    ChunkReply: object({ Success: yes, Received: { type: 'integer', minimum: 1 } }),
  };
}

function presence(): Schema {
  const connection = object({
    IDBeaconConnection: { type: 'integer' },
    Name: text,
    Engine: text,
    Connected: { type: 'boolean' },
    StoreID: text,
  });
  return {
    Presence: object(
      {
        BeaconID: { type: 'string', pattern: '^[A-Za-z0-9_-]{1,64}$' },
        Status: { enum: ['Online', 'Busy', 'Draining'] },
        Nonce: text,
        HubSubjects: { type: 'boolean' },
        Capabilities: { type: 'array', items: text },
        Tags: { type: 'object', additionalProperties: text },
        Connections: { type: 'array', items: connection },
      },
      ['BeaconID', 'Status'],
    ),
  };
}

/** The whole contract as one JSON Schema document, including the final newline. */
export function contractSchemaText(): string {
  const document = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'urn:tidemark:contract',
    title: 'Tidemark: bodies on the bus',
    description:
      'Requests of hubs, replies of the worker, presence of beacons. Written by ' +
      'scripts/write-contract-schema.ts; do not edit.',
    $defs: { ...requests(), ...replies(), ...presence() },
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

if (import.meta.main) writeFileSync(contractSchemaPath, contractSchemaText());
