/**
 * A new operation's file: named by date, time and purpose, so that names sort in the order they
 * were made.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import { isoOf } from '../../runtime/clock.ts';

const slugCharsMax = 60;

/**
 * Words of a purpose as part of a file name.
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
      `${JSON.stringify(text)} makes no name: expected 1 to ${slugCharsMax} letters and digits`,
    );
  return slug;
}

/**
 * Writes the template and returns its path; `.mts`, for what `.ts` means hangs on the nearest
 * package.json.
 * @throws TidemarkError CONFIG_INVALID also when the file is there already
 */
export function newOperation(folder: string, purpose: string, nowMs: number): string {
  const [date = '', time = ''] = isoOf(nowMs).split('T');
  const path = join(folder, `${date}-${time.slice(0, 5).replace(':', '')}-${slugOf(purpose)}.mts`);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeFileSync(path, template(purpose), { flag: 'wx', mode: 0o600 });
  } catch (cause) {
    throw new TidemarkError('CONFIG_INVALID', `cannot make ${path}: ${messageOf(cause)}`, {
      cause,
    });
  }
  return path;
}

function template(purpose: string): string {
  return `/** An operation on the worker's store: runs once, in one transaction with its marker. \
What throws is rolled back. */
import type { OperationContext } from 'tidemark/operations';

export const description = ${JSON.stringify(purpose)};

// May be left out with TIDEMARK_SKIP_OP_...=1 or \`tidemark ops skip\`:
// export const isSkippable = true;

/**
 * For long work export step(context, cursor) instead: it returns {cursor} to be called again,
 * {cursor: null} at its end.
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
