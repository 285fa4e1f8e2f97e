/**
 * Writes docs/CONTRACT.md, the reference of what crosses the bus, from the code that checks and
 * answers it. Run it with `npm run contract:reference`.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Action, isWriteAction, readActions, writeActions } from '../contracts/actions.ts';
import { databaseActions, type Parts } from '../beacon/capabilities/actions.ts';
import { type RefusalCode, refusalStatus } from '../contracts/errors.ts';
import { limits } from '../contracts/limits.ts';
import { type Lane, lanes, subjects } from '../contracts/subjects.ts';
import {
  actionTexts,
  capabilityTexts,
  eventTexts,
  refusalTexts,
  replyTexts,
  verbTexts,
} from './contract-reference-texts.ts';
import {
  columnTables,
  type Defs,
  fieldTable,
  limitTable,
  markdownTable,
  typeBlock,
} from './contract-reference-tables.ts';
import { contractSchemaText } from './write-contract-schema.ts';

export const contractReferencePath = join(import.meta.dirname, '..', 'docs', 'CONTRACT.md');

const hub = '<HubID>';
const def = (defs: Defs, name: string) => {
  const found = defs[name];
  if (!found) throw new Error(`the contract schema has no ${name}`);
  return found;
};

function opening(): string {
  return `# The contract on the bus

Subjects, bodies, answers, refusals and bounds. \`npm run contract:reference\` writes this page from the code; do not
edit it. The bodies as JSON Schema are in [contracts/contract.schema.json](../contracts/contract.schema.json); HTTP is
described in [openapi.json](openapi.json).

**Encoding.** MessagePack (plain maps) or JSON. The header \`Content-Type\` (\`application/msgpack\`,
\`application/json\`) says which; without it, a body that begins with \`{\` or \`[\` is JSON, any other MessagePack.
The answer has the encoding of the request; a worker asks databeacons in JSON.
\`Content-Encoding: gzip\` is accepted on every request. Times are ISO-8601, UTC, with milliseconds.

**Headers of a request.**

${markdownTable(
  ['header', 'meaning'],
  [
    ['`Content-Type`, `Content-Encoding`', 'encoding of the body'],
    ['`Accept-Encoding: gzip`', 'the answer may be compressed'],
    [
      '`Tidemark-Accept: chunks`',
      "an answer larger than the server's max_payload may come in pieces ([ADR 0015](adr/0015-answers-in-pieces.md))",
    ],
    [
      '`traceparent`, `tracestate`',
      'W3C trace context: kept with the write and continued at the databeacon ([METRICS.md](METRICS.md#traces)); ' +
        `a malformed one is ignored. At most ${limits.traceParentCharsMax} and ${limits.traceStateCharsMax} characters`,
    ],
  ],
)}

**Names.** HubID and BeaconID are 1 to 64 of \`A-Z a-z 0-9 _ -\`. EventGUID is any UUID. The sender stamps it once
and keeps it on every retry.`;
}

function actionSection(defs: Defs, action: Action, lane: Lane, shown: Set<unknown>): string {
  return `### ${action}

\`${subjects.action(hub, lane, action)}\`: ${actionTexts[action]}.

${fieldTable(def(defs, `${action}.Settings`), shown)}`;
}

function laneSections(defs: Defs): string {
  const of = (lane: Lane) =>
    [...writeActions, ...readActions].filter((action) =>
      action.startsWith(lane === 'queue' ? 'QP_' : 'MS_'),
    );
  const shown = new Set<unknown>();
  const overview = lanes.flatMap((lane) =>
    of(lane).map((action) => [
      `\`${subjects.action(hub, lane, action)}\``,
      isWriteAction(action) ? 'write' : 'read',
      actionTexts[action],
    ]),
  );
  return `## Hub to worker

The body of a request is an envelope. EventGUID is required on writes and ignored on reads. Unknown fields of Settings
are ignored; unknown fields of a row are kept in its column \`Extra\`.

${fieldTable(def(defs, 'Envelope'))}

${markdownTable(['subject', '', 'what it does'], overview)}

The tables below list \`Settings\`. In every field of a row, null stands for the column's default.

${lanes.flatMap((lane) => of(lane).map((action) => actionSection(defs, action, lane, shown))).join('\n\n')}`;
}

function replySections(defs: Defs): string {
  const section = (title: string, text: string, name: string) =>
    `### ${title}\n\n${text}\n\n${fieldTable(def(defs, name))}`;
  return `## Answers

${section('To a write', replyTexts.write, 'WriteReply')}

${section('To a read', replyTexts.read, 'ReadReply')}

${section('A refusal', replyTexts.refusal, 'Refusal')}

${markdownTable(
  ['code', 'header', 'when', 'what the sender should do'],
  Object.entries(refusalStatus).map(([code, status]) => [
    `\`${code}\``,
    String(status),
    refusalTexts[code as RefusalCode].when,
    refusalTexts[code as RefusalCode].what,
  ]),
)}`;
}

function otherWays(defs: Defs): string {
  return `## Other ways in

### Batches

\`${subjects.batch(hub, 'queue')}\` and \`${subjects.batch(hub, 'manifest')}\`: up to ${limits.batchItemsMax} writes
in one commit. An item is an envelope with its \`Action\`; a refused item does not affect the others. \`Results\` are
in the order of \`Items\`, each the answer to a write or a refusal.

${fieldTable(def(defs, 'BatchReply'))}

### Chunks

\`${subjects.chunk(hub, 'queue')}\` and \`${subjects.chunk(hub, 'manifest')}\`: a body larger than the
server's max_payload, in pieces; the answer to the last piece is the answer to the whole.

${fieldTable(def(defs, 'Chunk'))}

### One way

Publish the envelope to \`${subjects.oneWay(hub, 'queue', '<Action>')}\` (stream \`${subjects.oneWayStream(hub)}\`,
made by a worker with \`--intake jetstream\`) with \`Nats-Msg-Id\` = EventGUID. It is acknowledged after the
worker's own synced commit. A message that can never be accepted is kept with the dead letters.`;
}

/** What the verbs take and answer; the types these refer to are added. */
const controlTypes = [
  'WorkerStatus',
  'Location',
  'MarksFile',
  'SetMarks',
  'MarkPlan',
  'MarksSet',
  'DrillReply',
];

function controlSection(types: Set<string>): string {
  return `## Control

\`${subjects.control(hub, '<verb>')}\`, for everybody the bus permits.

${markdownTable(
  ['verb', 'body', 'answer', ''],
  Object.entries(verbTexts).map(([verb, { body, answer, what }]) => [
    `\`${verb}\``,
    body,
    answer,
    what,
  ]),
)}

${typeBlock(controlTypes, types)}

### Events

${markdownTable(
  ['subject', 'body', 'when'],
  Object.entries(eventTexts).map(([name, { body, when }]) => [
    `\`${subjects.event(hub, name as keyof typeof eventTexts)}\``,
    body,
    when,
  ]),
)}`;
}

function beaconSections(defs: Defs, types: Set<string>): string {
  // Only the names are used; nothing runs.
  const actions = databaseActions({ isBatchOn: true } as Parts);
  const sections = Object.entries(actions).map(([capability, of]) => {
    const text = capabilityTexts[capability];
    if (!text) throw new Error(`there is no text for capability ${capability}`);
    const names = Object.keys(of)
      .map((action) => `\`${action}\``)
      .join(', ');
    const block = text.types.length > 0 ? `\n\n${typeBlock(text.types, types)}` : '';
    return `### ${capability}\n\n${text.what} Actions: ${names}.${block}`;
  });
  return `## Worker to beacon

\`${subjects.capability('<BeaconID>', '<Capability>', '<Action>', '<HubID>')}\` for what is done
for a hub: only its rows are seen and written, and schema and management calls touch the backend
tables only and only add; anything else is FORBIDDEN. Without the hub for operators, and towards
beacons whose presence does not say \`HubSubjects: true\`; \`DataBeaconBatch\` needs the hub unless
the databeacon was started with \`--accept-unscoped\`. Each with
\`{Settings, RemoteUser?, TimeoutMs?}\` (${limits.capabilityMs} ms by default), answered by
\`{Outputs, Log?}\` or by a refusal as above. A worker uses \`DataBeaconBatch\` if it is offered, else
\`MeadowProxy\`, else the legacy capabilities \`QueuePersistence\` and \`ManifestStore\`, whose actions
are those of the lanes.

${sections.join('\n\n')}

### Presence

\`${subjects.presence('<BeaconID>')}\`, every ${limits.presenceEveryMs} ms and on change; what names another beacon
there is not heard. A beacon that is silent for ${limits.presenceAwayMs} ms counts as away. \`${subjects.presenceBare}\`
alone is heard by a worker with \`--accept-unscoped\`.

${fieldTable(def(defs, 'Presence'))}`;
}

function backendSection(): string {
  return `## Backend tables

[contracts/persistence-schema.json](../contracts/persistence-schema.json), which the worker makes each database ensure.
Columns are added, never dropped or changed.

${columnTables()}`;
}

function boundsSection(): string {
  return `## Bounds

From [contracts/limits.ts](../contracts/limits.ts). \`tidemark worker --help\` lists those an operator can set.

${limitTable()}`;
}

/** The whole page, including the final newline. */
export function contractReferenceText(): string {
  const types = new Set<string>();
  const { $defs } = JSON.parse(contractSchemaText()) as { $defs: Defs };
  return `${[
    opening(),
    laneSections($defs),
    replySections($defs),
    otherWays($defs),
    controlSection(types),
    beaconSections($defs, types),
    backendSection(),
    boundsSection(),
  ].join('\n\n')}\n`;
}

if (import.meta.main) writeFileSync(contractReferencePath, contractReferenceText());
