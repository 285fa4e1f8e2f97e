/** Values that come out of any engine as they went in. */
import { expect, test } from 'vitest';
import type { StatementResult } from '../../../../beacon/engine/engine.ts';
import type { Desk } from '../desk.ts';

const item = 'UVQueueWorkItem';

/** Texts that some database, driver or collation is known to trip over. */
const texts = [
  '',
  ' ',
  "it's",
  '"quoted"',
  '`tick`',
  'a\\b',
  '\\',
  "\\'; drop table x; --",
  '%_',
  '~',
  'FBV~Status~EQ~x',
  '?',
  '$1 :name @p1',
  '{{}}',
  'line\nbreak\r\n\ttab',
  '\u0001\u001F\u007F',
  '\u00E9',
  'e\u0301',
  '\u{1F600}',
  '\u{10FFFF}',
  'ﬁ',
  '\u200B',
  '\uFEFFbom',
  '\u202Ertl',
  '0x41',
  '1e5',
  'NULL',
  'true',
  '2026-11-21T08:00:00.000Z',
  '2026-11-21 08:00:00',
];

/** Keys that a collation may take for one another. */
export const distinctKeys = [
  'A',
  'a',
  'a ',
  ' a',
  'á',
  'a\u0301',
  'ä',
  'æ',
  'ae',
  'ß',
  'ss',
  'ẞ',
  'ı',
  'i',
  'İ',
  'ﬁ',
  'fi',
  '1',
  '01',
  '1.0',
  '',
  'a\u200B',
  'a\u00AD',
  '\u{1F600}',
  '\u{1F601}',
  'K',
  '\u212A',
  'a\t',
  'a\u00A0',
];

export function keptTests(desk: () => Desk): void {
  test('any text is kept byte for byte, sized and unsized', async () => {
    const d = desk();
    const mutations = texts.map((text, at) =>
      d.workItem(`w${at}`, at + 1, { Status: text, Settings: text, LastError: text }),
    );
    expect((await d.apply(mutations)).IsCommitted).toBe(true);
    expect(await d.rows(item, 'Status', 'Settings', 'LastError')).toEqual(
      texts.map((text) => ({ Status: text, Settings: text, LastError: text })),
    );
  });

  test('any text inserted again is the same text', async () => {
    const d = desk();
    const inserts = texts.map((text, at) =>
      d.event(`e${at}`, at + 1, { ToStatus: text, Payload: text }),
    );
    await d.apply(inserts);
    const again = await d.outcomes(inserts.map((one) => ({ ...one, Seq: one.Seq + 100 })));
    expect(new Set(again)).toEqual(new Set(['already-present']));
  });

  test('half a character becomes the replacement character, the same way every time', async () => {
    const d = desk();
    const half = d.event('half', 1, { ToStatus: 'x\uD800y', Payload: '\uDC00' });
    expect(await d.outcomes([half, { ...half, Seq: 2 }])).toEqual(['applied', 'already-present']);
    expect(await d.rows('UVQueueWorkItemEvent', 'ToStatus', 'Payload')).toEqual([
      { ToStatus: 'x\uFFFDy', Payload: '\uFFFD' },
    ]);
  });

  test('JSON text is kept as it was written', async () => {
    const d = desk();
    const json = '{ "b":1,  "a" : [1.0, 1e2, "\\u00e9", 12345678901234567890], "b": 2 }';
    await d.apply([
      d.workItem('a', 1, { Settings: json, Result: json }),
      d.manifest('m', 2, { ManifestJSON: json }),
    ]);
    expect(await d.rows(item, 'Settings', 'Result')).toEqual([{ Settings: json, Result: json }]);
    expect(await d.rows('UVManifest', 'ManifestJSON')).toEqual([{ ManifestJSON: json }]);
  });

  test('whole numbers are kept to ±2^53', async () => {
    const d = desk();
    const numbers = [
      0,
      -1,
      2 ** 31 - 1,
      2 ** 31,
      -(2 ** 31) - 1,
      2 ** 32,
      Number.MAX_SAFE_INTEGER,
      Number.MIN_SAFE_INTEGER,
    ];
    await d.apply(
      numbers.map((value, at) =>
        d.workItem(`n${at}`, at + 1, { Priority: value, QueueWaitMs: value }),
      ),
    );
    expect(await d.rows(item, 'Priority', 'QueueWaitMs')).toEqual(
      numbers.map((value) => ({ Priority: value, QueueWaitMs: value })),
    );
  });

  test('defect 48: a float is the same float', async () => {
    const d = desk();
    const floats = [
      0.1234,
      1e-300,
      0.1 + 0.2,
      1 / 3,
      -1.5,
      1.797_693_134_862_315_7e308,
      2.225_073_858_507_201_4e-308,
      123_456_789.123_456_78,
      2 ** 53 + 2,
      100,
    ];
    await d.apply(floats.map((value, at) => d.workItem(`f${at}`, at + 1, { Health: value })));
    expect((await d.rows(item, 'Health')).map((row) => row['Health'])).toEqual(floats);
    const seen = await d.engine.execute([
      {
        sql: `select "Health" from "${item}" where "HubID" = '${d.hub}'`.replaceAll(
          '"',
          d.engine.kind === 'mysql' ? '`' : '"',
        ),
        parameters: [],
        isWrite: false,
      },
    ]);
    expect((seen[0] as StatementResult).rows.map((row) => row['Health'])).toEqual(floats);
  });

  test('nulls, booleans and objects are stored as the column takes them', async () => {
    const d = desk();
    await d.apply([
      d.workItem('a', 1, {
        CancelRequested: 'true',
        Settings: { deep: [1] } as never,
        LastError: null,
        Health: null,
        Status: null,
        MaxAttempts: null,
      }),
      d.workItem('b', 2, {
        CancelRequested: 0,
        RequireAffinityMatch: 1,
        Settings: [1, 'two'] as never,
        LastError: '',
        RetryAfter: 7.5,
        Action: true,
      }),
    ]);
    expect(
      await d.rows(
        item,
        'CancelRequested',
        'RequireAffinityMatch',
        'Settings',
        'LastError',
        'Health',
        'Status',
        'MaxAttempts',
        'RetryAfter',
        'Action',
      ),
    ).toEqual([
      {
        CancelRequested: 1,
        RequireAffinityMatch: 0,
        Settings: '{"deep":[1]}',
        LastError: null,
        Health: null,
        Status: 'Pending',
        MaxAttempts: 1,
        RetryAfter: '',
        Action: '',
      },
      {
        CancelRequested: 0,
        RequireAffinityMatch: 1,
        Settings: '[1,"two"]',
        LastError: '',
        Health: 0,
        Status: 'Pending',
        MaxAttempts: 1,
        RetryAfter: '7.5',
        Action: 'true',
      },
    ]);
  });

  test('twenty megabytes of text go in and come out', async () => {
    const d = desk();
    const text = JSON.stringify({ log: 'é\u{1F600}x"\\'.repeat(1_500_000) });
    expect(await d.outcomes([d.manifest('big', 1, { ManifestJSON: text })])).toEqual(['applied']);
    const [row] = await d.rows('UVManifest', 'ManifestJSON');
    expect(row?.['ManifestJSON'] === text).toBe(true);
  }, 60_000);
}
