/** The character NUL on any engine: stored without loss, found by it, and read back the same. */
import { expect, test } from 'vitest';
import { toTable } from '../../../../beacon/engine/table.ts';
import { type StatementResult } from '../../../../beacon/engine/engine.ts';
import { equals } from '../../../../beacon/sql/filter.ts';
import { selectRows } from '../../../../beacon/sql/row-reads.ts';
import type { Desk } from '../desk.ts';

const item = 'UVQueueWorkItem';
/** With what stands for NUL where text has none, and with what looks like it. */
const texts = [
  '\u0000',
  'a\u0000b\u0000',
  '\u0000\u0000',
  '\uFDD0',
  '\uFDD00\uFDD01',
  '\uFDD0\u00000\u00001',
  '\\u0000',
  JSON.stringify({ files: 'a\u0000b\uFDD0', literal: '\\u0000' }),
];

export function nulTests(desk: () => Desk): void {
  test('text with NUL is stored, read back the same, and found by it, on every engine', async () => {
    const d = desk();
    const mutations = texts.map((text, at) =>
      d.workItem(`w${at}`, at + 1, { Settings: text, LastError: text, Status: text.slice(0, 8) }),
    );
    expect(new Set(await d.outcomes(mutations))).toEqual(new Set(['applied']));
    expect(await read(d, null)).toEqual(texts);
    for (const [at, text] of texts.entries())
      expect(await read(d, text), JSON.stringify(text)).toEqual([texts[at]]);
  });

  test('text with NUL that is inserted again is the same, and a merge keeps it', async () => {
    const d = desk();
    const inserts = texts.map((text, at) => d.event(`e${at}`, at + 1, { Payload: text }));
    await d.apply(inserts);
    const again = await d.outcomes(inserts.map((one) => ({ ...one, Seq: one.Seq + 100 })));
    expect(new Set(again)).toEqual(new Set(['already-present']));
    const merge = (seq: number, members: Record<string, string>) =>
      d.workItem('m', seq, {}, { Merge: { Extra: members } });
    await d.apply([merge(200, { one: 'a\u0000b' }), merge(201, { two: '\uFDD0' })]);
    const [row] = await d.rows(item, 'Extra');
    expect(JSON.parse(String(row?.['Extra']))).toMatchObject({ one: 'a\u0000b' });
  });

  test('a key with NUL is one row, and another than the key without', async () => {
    const d = desk();
    expect(
      await d.outcomes([
        d.workItem('nl', 1),
        d.workItem('n\u0000l', 2, { LastError: 'first' }),
        d.workItem('n\u0000l', 3, { LastError: 'second' }),
      ]),
    ).toEqual(['applied', 'applied', 'applied']);
    expect(await read(d, null)).toEqual(['', 'second']);
  });
}

/** LastError of this hub's rows as the engine gives them: all, or those that say this. */
async function read(d: Desk, lastError: string | null): Promise<unknown[]> {
  const [info] = await d.engine.introspect([item]);
  if (!info) throw new Error('the table is not there');
  const filter = equals('HubID', d.hub);
  if (lastError !== null)
    filter.where.any[0]?.push({
      kind: 'term',
      column: 'LastError',
      operator: 'EQ',
      values: [lastError],
    });
  const [result] = await d.engine.execute([
    selectRows(d.engine.kind, toTable(info), filter, { begin: 0, cap: 100 }),
  ]);
  return (result as StatementResult).rows.map((row) => row['LastError']);
}
