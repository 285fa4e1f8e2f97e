/** contract.schema.json is what the code says, and as a schema it is whole. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readActions, writeActions } from '../../contracts/actions.ts';
import { contractSchemaPath, contractSchemaText } from '../../scripts/write-contract-schema.ts';

test('contract.schema.json is what `npm run contract` would write', () => {
  expect(readFileSync(contractSchemaPath, 'utf8')).toBe(contractSchemaText());
});

test('every reference in contract.schema.json leads to a definition; every action has Settings and request', () => {
  const text = contractSchemaText();
  const { $defs } = JSON.parse(text) as { $defs: Record<string, unknown> };
  const references = [...text.matchAll(/"#\/\$defs\/([^"]+)"/g)].map((match) => match[1] ?? '');
  expect(references.filter((name) => !Object.hasOwn($defs, name))).toEqual([]);
  for (const action of [...writeActions, ...readActions])
    expect(Object.keys($defs)).toEqual(
      expect.arrayContaining([`${action}.Settings`, `${action}.request`]),
    );
});
