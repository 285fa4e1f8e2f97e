/** The bearer tokens a process knows, with their names and roles. Compared in constant time. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';

/** `view` only reads; `operate` also changes. */
export const roles = ['view', 'operate'] as const;
export type Role = (typeof roles)[number];

/** The owner of a token; the name is recorded in the operators' log. */
export type Caller = { name: string; role: Role };
export type NamedToken = Caller & { token: string };

const nameShape = /^[A-Za-z0-9._@-]{1,64}$/;

const digestOf = (text: string) => createHash('sha256').update(text).digest();

export class Tokens {
  readonly #known: readonly { caller: Caller; digest: Buffer }[];

  /**
   * @throws TidemarkError CONFIG_INVALID when two names share a token, because its owner would be
   * unknown
   */
  constructor(tokens: readonly NamedToken[]) {
    this.#known = tokens.map(({ name, role, token }) => ({
      caller: { name, role },
      digest: digestOf(token),
    }));
    for (const [at, { token, name }] of tokens.entries()) {
      const before = tokens.slice(0, at).find((one) => one.token === token);
      if (before)
        throw new TidemarkError(
          'CONFIG_INVALID',
          `the tokens of ${before.name} (${before.role}) and ${name} are the same; give each their own`,
        );
    }
  }

  /**
   * The owner of the token in the header `Authorization`, or null. Compares with all tokens, so
   * that the time reveals nothing.
   */
  callerOf(authorization: string | undefined): Caller | null {
    const given = digestOf(/^Bearer (.+)$/.exec(authorization ?? '')?.[1] ?? '');
    let found: Caller | null = null;
    for (const { caller, digest } of this.#known) {
      if (timingSafeEqual(given, digest)) found = caller;
    }
    return found;
  }
}

/**
 * Reads a file of lines `role name token`; skips empty lines and those beginning with #.
 * @throws TidemarkError CONFIG_INVALID naming the line, never its content
 */
export function readTokensFile(path: string): NamedToken[] {
  const lines = textOf(path, 'tokensFile')
    .split('\n')
    .map((line) => line.trim());
  const tokens = lines.flatMap((line, at) =>
    line === '' || line.startsWith('#') ? [] : [decodeLine(line, `${path}:${at + 1}`)],
  );
  if (tokens.length > limits.httpTokensMax)
    throw new TidemarkError(
      'CONFIG_INVALID',
      `${path}: ${tokens.length} tokens, at most ${limits.httpTokensMax}`,
    );
  return tokens;
}

function decodeLine(line: string, where: string): NamedToken {
  const [role = '', name = '', token = '', ...more] = line.split(/\s+/);
  if (!roles.includes(role as Role))
    throw new TidemarkError(
      'CONFIG_INVALID',
      `${where}: expected <role> <name> <token>, with role ${roles.join(' or ')}`,
    );
  if (!nameShape.test(name))
    throw new TidemarkError(
      'CONFIG_INVALID',
      `${where}: expected a name of 1 to 64 of A-Z a-z 0-9 . _ @ -`,
    );
  if (token === '' || more.length > 0)
    throw new TidemarkError('CONFIG_INVALID', `${where}: expected one token after the name`);
  return { role: role as Role, name, token };
}

/**
 * Reads a file that contains a single token; null when it is empty.
 * @throws TidemarkError CONFIG_INVALID naming the setting
 */
export function readTokenFile(path: string, setting: string): string | null {
  return textOf(path, setting).trim() || null;
}

function textOf(path: string, setting: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new TidemarkError('CONFIG_INVALID', `${setting}: ${messageOf(cause)}`, { cause });
  }
}
