/** What a rule of style is made of: the sources it is about, and a violation it has to notice. */
import { expect, test } from 'vitest';
import { readSources, type Source } from './source.ts';

export const productFolders = [
  'contracts',
  'runtime',
  'hwm',
  'bridges',
  'worker',
  'beacon',
  'cli',
  'dropin',
  'console',
];
export const sourceFolders = [...productFolders, 'test', 'bench', 'scripts', 'examples', 'bin'];

export const sources = readSources(sourceFolders, ['vitest.config.ts']);
export const productSources = sources.filter(({ folder }) => productFolders.includes(folder));

/** Complaints about all sources together; an empty list is what every rule wants. */
export type Rule = (sources: readonly Source[]) => string[];

/** A rule that looks at one source at a time. */
export function each(complaints: (source: Source) => (string | false)[]): Rule {
  return (over) =>
    over.flatMap((source) =>
      complaints(source).flatMap((complaint) =>
        complaint === false ? [] : [`${source.path}: ${complaint}`],
      ),
    );
}

/** Tests that the rule holds over these sources, and that it notices each violation planted. */
export function holds(
  title: string,
  parts: { over: readonly Source[]; rule: Rule; planted: readonly (readonly Source[])[] },
): void {
  test(`tidy — ${title}`, () => {
    expect(parts.over.length).toBeGreaterThan(30);
    expect(parts.rule(parts.over)).toEqual([]);
    for (const violation of parts.planted) expect(parts.rule(violation)).not.toEqual([]);
  });
}
