/** What stands for NUL in PostgreSQL: unambiguous, whatever the text. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { jsonWithNul, jsonWithoutNul, withNul, withoutNul } from '../../../beacon/sql/nul.ts';

const text = fc
  .array(fc.constantFrom('\u0000', '\uFDD0', '0', '1', '\\', '"', 'u0000', '\\u0000', 'x', 'é'))
  .map((parts) => parts.join(''));

test('any text comes back as it was, and what is stored has no NUL', () => {
  fc.assert(
    fc.property(text, (given) => {
      const stored = withoutNul(given);
      expect(stored).not.toContain('\u0000');
      expect(withNul(stored)).toBe(given);
    }),
    { numRuns: 1_000 },
  );
});

test('any JSON text means the same when it comes back from jsonb, which unescapes it', () => {
  fc.assert(
    fc.property(text, (given) => {
      const stored = jsonWithoutNul(JSON.stringify({ [given]: [given] }));
      expect(Object.keys(JSON.parse(stored) as object).join()).not.toContain('\u0000');
      const kept = JSON.stringify(JSON.parse(stored));
      expect(JSON.parse(jsonWithNul(kept))).toEqual({ [given]: [given] });
    }),
    { numRuns: 1_000 },
  );
});
