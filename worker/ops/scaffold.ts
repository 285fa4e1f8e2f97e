/**
 * Creates the file of a new operation, named by date, time and purpose, so that names sort by age.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import { isoOf } from '../../runtime/clock.ts';

const slugCharsMax = 60;

/**
 * Turns a purpose into a part of a file name.
 * @throws TidemarkError CONFIG_INVALID when nothing is left of it, or too much
 */
export function slugOf(text: string): string {
  const slug = text
    .normalize('NFKD')
    .replace(/\p{Diacritic}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '');
  if (slug === '' || slug.length > slugCharsMax)
    throw new TidemarkError(
      'CONFIG_INVALID',
      `${JSON.stringify(text)} cannot be a name: expected 1 to ${slugCharsMax} letters and digits`,
    );
  return slug;
}

/**
 * Writes the template and returns its path. It ends in `.mts`, because for `.ts` the nearest
 * package.json decides the module type.
 * @throws TidemarkError CONFIG_INVALID also when the file exists
 */
export function newOperation(folder: string, purpose: string, nowMs: number): string {
  const [date = '', time = ''] = isoOf(nowMs).split('T');
  const path = join(folder, `${date}-${time.slice(0, 5).replace(':', '')}-${slugOf(purpose)}.mts`);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeFileSync(path, template(purpose), { flag: 'wx', mode: 0o600 });
  } catch (cause) {
    throw new TidemarkError('CONFIG_INVALID', `cannot create ${path}: ${messageOf(cause)}`, {
      cause,
    });
  }
  return path;
}

function template(purpose: string): string {
  return `/** An operation on the worker's store: applied once, in one transaction with its marker. \
An error rolls it back. */
import type { OperationContext } from 'tidemark/operations';

export const description = ${JSON.stringify(purpose)};

// May be skipped with TIDEMARK_SKIP_OP_...=1 or \`tidemark ops skip\`:
// export const isSkippable = true;

/**
 * For long work export step(context, cursor) instead. Return {cursor} to be called again,
 * and {cursor: null} at the end.
 */
export function run(context: OperationContext): string {
  const rows = context.db.prepare("select count(*) from refused").pluck().get();
  return \`\${rows} one-way messages were refused\`;
}

// Try it: tidemark ops run <this name> --dry-run
// Test it, with a store of its own:
//   const db = new Database(':memory:'); db.exec('create table refused (id integer)');
//   assert.equal(run({ db } as OperationContext), '0 one-way messages were refused');
`;
}
