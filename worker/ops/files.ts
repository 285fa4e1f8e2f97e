/**
 * The operator's operations: lists the files of one folder, and loads them all before any of them
 * runs.
 */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import { digestOf } from './file-digest.ts';
import { abilities, type Ability, type Operation, type Runnable, type Step } from './operation.ts';

/** A file whose name makes it an operation. */
export type Candidate = { type: 'operator'; id: string; path: string; sha256: string };

const extension = /\.(?:ts|mts|js|mjs)$/;
const members = [
  'description',
  'run',
  'step',
  'prepare',
  'isSkippable',
  'requires',
  'uses',
  'args',
];

function invalid(message: string, cause?: unknown): TidemarkError {
  return new TidemarkError('INVALID_MESSAGE', message, { cause });
}

/** The flag that skips an operation: `2026-11-21-fix.roles` -> `2026_11_21_FIX_ROLES`. */
export function flagOf(id: string): string {
  return id.toUpperCase().replace(/[^A-Z0-9]+/g, '_');
}

/**
 * Lists the operations in a folder (an absolute path), unordered. A missing folder has none.
 * @throws TidemarkError INVALID_MESSAGE for an unreadable folder or file, or for two files with the
 * same id or flag
 */
export function listOperations(folder: string): Candidate[] {
  const names = namesIn(folder).filter(
    (name) =>
      extension.test(name) &&
      !name.endsWith('.d.ts') &&
      !name.endsWith('.d.mts') &&
      !/^[_.]/.test(name),
  );
  const byFlag = new Map<string, string>();
  for (const name of names) {
    const flag = flagOf(name.replace(extension, ''));
    const other = byFlag.get(flag);
    if (other !== undefined)
      throw invalid(
        `${folder}: ${other} and ${name} are the same operation, or share the flag ${flag}; rename or remove one`,
      );
    byFlag.set(flag, name);
  }
  return names.map((name): Candidate => {
    const path = join(folder, name);
    return { type: 'operator', id: name.replace(extension, ''), path, sha256: digestOf(path) };
  });
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) =>
      statSync(join(folder, name), { throwIfNoEntry: false })?.isFile(),
    );
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw invalid(`cannot read the folder of operations: ${messageOf(cause)}`, cause);
  }
}

/**
 * Loads all of them, or none.
 * @throws TidemarkError INVALID_MESSAGE naming the first file that is not an operation
 */
export async function loadOperations(candidates: readonly Candidate[]): Promise<Runnable[]> {
  const loaded: Runnable[] = [];
  for (const candidate of candidates) loaded.push(await load(candidate));
  return loaded;
}

async function load({ type, id, path, sha256 }: Candidate): Promise<Runnable> {
  let module: Record<string, unknown>;
  try {
    // The path is absolute because a relative one would be resolved against this file. The digest
    // makes Node load an edited file again instead of using its cache.
    module = (await import(`${pathToFileURL(path).href}?${sha256}`)) as Record<string, unknown>;
  } catch (cause) {
    const hint =
      /\.[tj]s$/.test(path) && cause instanceof SyntaxError
        ? ' (for .ts and .js the nearest package.json decides the module type; .mts and .mjs are always modules)'
        : '';
    throw invalid(`${path} cannot be loaded: ${messageOf(cause)}${hint}`, cause);
  }
  try {
    return { type, id, sha256, operation: toOperation(module) };
  } catch (cause) {
    throw invalid(`${path} is not an operation: ${messageOf(cause)}`, cause);
  }
}

/**
 * Turns a module's exports into an operation.
 * @throws TypeError saying what is wrong
 */
export function toOperation(module: Readonly<Record<string, unknown>>): Operation {
  const unknown = Object.keys(module).filter(
    (name) => !members.includes(name) && name !== 'module.exports' && name !== 'default',
  );
  if (unknown.length > 0)
    throw new TypeError(`it exports ${unknown.join(', ')}; allowed exports: ${members.join(', ')}`);
  const {
    description,
    run,
    step,
    prepare,
    isSkippable = false,
    requires = [],
    uses = [],
    args = {},
  } = module;
  if (typeof description !== 'string' || description.trim() === '')
    throw new TypeError('it must export a description');
  if ((typeof run === 'function') === (typeof step === 'function'))
    throw new TypeError('it must export run(context), or step(context, cursor), and not both');
  if (prepare !== undefined && typeof prepare !== 'function')
    throw new TypeError('prepare is not a function');
  if (typeof isSkippable !== 'boolean')
    throw new TypeError('isSkippable is neither true nor false');
  if (!isTexts(requires)) throw new TypeError('requires is not a list of ids');
  if (
    !isTexts(uses) ||
    !uses.every((one): one is Ability => (abilities as readonly string[]).includes(one))
  )
    throw new TypeError(`uses may name ${abilities.join(', ')} only`);
  if (prepare !== undefined && !uses.includes('backend'))
    throw new TypeError("prepare reads the backend, so it must export uses = ['backend']");
  if (typeof args !== 'object' || args === null || !isTexts(Object.values(args)))
    throw new TypeError('args is not an object of strings');
  const work = (run ?? step) as (context: unknown, cursor: unknown) => unknown;
  return {
    description,
    isSkippable,
    requires,
    uses,
    args: args as Record<string, string>,
    isLong: typeof step === 'function',
    isOutside: false,
    ...(prepare === undefined ? {} : { prepare: prepare as NonNullable<Operation['prepare']> }),
    step: (context, cursor) =>
      typeof run === 'function' ? ended(work(context, cursor)) : stepOf(work(context, cursor)),
  };
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}

/** There are no other results: anything but nothing or a note is an error, and rolls back. */
function ended(result: unknown): Step {
  if (result === undefined || result === null) return { cursor: null };
  if (typeof result === 'string') return { cursor: null, note: result };
  throw new TypeError(
    `run must return nothing or a note, and throw when it fails; it returned ${shown(result)}`,
  );
}

function stepOf(result: unknown): Step {
  const { cursor, note, ...rest } = (
    typeof result === 'object' && result !== null && !(result instanceof Promise)
      ? result
      : { cursor: undefined }
  ) as Record<string, unknown>;
  const isStep =
    (cursor === null || typeof cursor === 'string') &&
    (note === undefined || typeof note === 'string') &&
    Object.keys(rest).length === 0;
  if (!isStep)
    throw new TypeError(
      `step must return {cursor: string | null, note?: string}, and throw when it fails; it returned ${shown(result)}`,
    );
  return { cursor, ...(note === undefined ? {} : { note }) };
}

function shown(value: unknown): string {
  return value instanceof Promise
    ? 'a promise, but the work must be synchronous, inside one transaction'
    : JSON.stringify(value).slice(0, 200);
}
