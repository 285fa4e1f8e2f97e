/**
 * Bodies and parameters of the operators' HTTP as JSON Schema. Calls are checked against these
 * schemas, and the OpenAPI document is generated from them.
 */
import { Type } from '@sinclair/typebox';
import { bareVerbs } from '../../contracts/control-verbs.ts';
import { limits } from '../../contracts/limits.ts';

const tokenText = '1 to 64 of A-Z a-z 0-9 _ -';
const token = { pattern: '^[A-Za-z0-9_-]{1,64}$', description: tokenText };
const guidPattern = '^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$';
const beaconOrNone = Type.Union([Type.String(token), Type.Literal(''), Type.Null()], {
  description: `a BeaconID, ${tokenText}; null takes the assignment back`,
});
const connectionNumber = Type.Union([Type.Integer({ minimum: 0 }), Type.Null()], {
  description: 'an integer from 1; 0 for a legacy beacon, or none',
});
/** Numbers in paths and queries arrive as text. */
const digits = (description: string) => Type.String({ pattern: '^[0-9]{1,16}$', description });

/**
 * Names a dead letter: the Seq of a write, or the number of a one-way message that was never
 * accepted.
 */
const deadLetterName = Type.String({
  pattern: '^(?:id-)?[0-9]{1,16}$',
  description:
    'the Seq of a dead letter, an integer; or id- and the number of a refused one-way message',
});

/** Schemas of bodies and parameters. */
export const given = {
  assign: Type.Object(
    {
      BeaconID: beaconOrNone,
      IDBeaconConnection: Type.Optional(connectionNumber),
      NotAfter: Type.Optional(
        Type.String({
          maxLength: 40,
          description: 'a time as 2026-01-31T12:00:00Z; later than that it is refused',
        }),
      ),
    },
    { description: 'an object with BeaconID and IDBeaconConnection' },
  ),
  labAssign: Type.Object(
    {
      IDBeacon: Type.Union([Type.String(token), Type.Literal(''), Type.Literal(0), Type.Null()], {
        description: `a BeaconID, ${tokenText}; null takes the assignment back`,
      }),
      IDBeaconConnection: Type.Optional(connectionNumber),
    },
    { description: 'an object with IDBeacon and IDBeaconConnection' },
  ),
  id: Type.Object({ id: Type.String(token) }),
  seq: Type.Object({ seq: deadLetterName }),
  seqVerb: Type.Object({
    seq: deadLetterName,
    verb: Type.Union([Type.Literal('retry'), Type.Literal('drop')], {
      description: 'retry or drop',
    }),
  }),
  verb: Type.Object({
    verb: Type.Union(
      bareVerbs.map((one) => Type.Literal(one)),
      { description: 'pause, resume, drain or clear' },
    ),
  }),
  deadLetterPage: Type.Object({
    after: Type.Optional(
      Type.String({
        pattern: '^(?:id-)?[0-9]{1,16}$',
        description: 'the Next of the previous page',
      }),
    ),
    limit: Type.Optional(digits(`an integer from 1 to ${limits.listRowsMax}`)),
  }),
  key: Type.Object({
    key: Type.String({ minLength: 1, description: 'a WorkItemHash or RunHash' }),
    lane: Type.Optional(
      Type.Union([Type.Literal('queue'), Type.Literal('manifest')], {
        description: 'queue or manifest',
      }),
    ),
  }),
  watch: Type.Object({
    watch: Type.Optional(Type.Literal('fleet', { description: 'fleet, or nothing' })),
  }),
  file: Type.Object({ file: Type.String({ description: 'a file of the page' }) }),
  guid: Type.Object({
    guid: Type.String({ pattern: guidPattern, description: 'the EventGUID of a write, a UUID' }),
  }),
  page: Type.Object({
    limit: Type.Optional(digits(`lines, from 1 to ${limits.operatorActionsShownMax}`)),
    before: Type.Optional(digits('only lines before the one of this ID')),
  }),
} as const;
