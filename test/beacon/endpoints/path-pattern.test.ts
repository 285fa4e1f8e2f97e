/** Patterns of the allowlist mean what they mean as regular expressions, and are never slow. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bounds } from '../../../beacon/bounds.ts';
import {
  patternAt,
  readablePatterns,
  toPathPattern,
} from '../../../beacon/endpoints/path-pattern.ts';

/** What the built-in matcher says. */
function builtIn(source: string): RegExp {
  return new RegExp(String.raw`^(?:${source})(?:(?<=/)|(?=s?(?:[/?]|$))|(?=Select(?:[/?]|$)))`);
}

const dear = '.?.?.?.?.*.*.*Z';
const worst = '.{0,25}.{0,25}.{0,25}Z';

describe('matching', () => {
  test('a pattern that the built-in matcher takes for ever over is matched at once (I14)', () => {
    const patterns = Array.from({ length: bounds.patternsMax }, () => toPathPattern(dear));
    const started = performance.now();
    for (const matches of patterns) expect(matches(`/1.0/${'a'.repeat(10_000)}`)).toBe(false);
    expect(performance.now() - started).toBeLessThan(2_000);
  });

  test('as many of the longest as there may be take no more than a blink (I14)', () => {
    const patterns = Array.from({ length: bounds.patternsMax }, () => toPathPattern(worst));
    const started = performance.now();
    for (const matches of patterns) matches('a'.repeat(10_000));
    expect(performance.now() - started).toBeLessThan(2_000);
  });

  const atoms = fc.constantFrom(
    'a',
    'b',
    's',
    '/',
    '.',
    '[ab]',
    '[^a/]',
    String.raw`\w`,
    String.raw`\.`,
    '[a-z0-9-]',
    '(a|b/)',
    '(?:ab|)',
    '(?<n>a)',
    String.raw`\x61`,
    '$',
    '^',
    'Select',
    '[',
    '{',
    '}',
    ']',
    String.raw`\/`,
  );
  const ends = fc.constantFrom('', '', '', '*', '+', '?', '*?', '??', '{2}', '{0,2}', '{1,}');
  const source = fc
    .array(fc.tuple(atoms, ends), { minLength: 1, maxLength: 6 })
    .map((pieces) => pieces.map(([atom, end]) => atom + end).join(''));
  const path = fc
    .array(fc.constantFrom('a', 'b', 's', '/', '?', '.', 'Select', '{', '-', 'é'), { maxLength: 8 })
    .map((parts) => parts.join(''));

  test('what is taken means what the regular expression means', () => {
    let taken = 0;
    fc.assert(
      fc.property(source, fc.array(path, { minLength: 1, maxLength: 20 }), (pattern, paths) => {
        const [matches] = readablePatterns([pattern]);
        if (!matches) return;
        taken += 1;
        for (const one of paths)
          expect([pattern, one, matches(one)]).toEqual([pattern, one, builtIn(pattern).test(one)]);
      }),
      { numRuns: 2_000 },
    );
    expect(taken).toBeGreaterThan(500);
  });
});

describe('what is taken', () => {
  test.each(['(', ')|(', 'a{1,100000}', 'x{300}', String.raw`a\b`, '(?i:a)', '(?=a)', '(a)*'])(
    'refuses %s, naming the place',
    (pattern) => {
      expect(() => patternAt(pattern, 'Settings.PathAllowlist[0]')).toThrow(
        'Settings.PathAllowlist[0]: ',
      );
    },
  );

  test('what an older version kept and is refused today opens nothing, and is told of (I14)', () => {
    const told: string[] = [];
    const patterns = readablePatterns(['/a', '(a+)+', '('], (source) => told.push(source));
    expect(patterns.map((matches) => matches('/a'))).toEqual([true]);
    expect(told).toEqual(['(a+)+', '(']);
  });
});
