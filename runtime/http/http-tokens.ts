/**
 * The bearer tokens a process knows: whose each is, and what it permits. Compared in a time that
 * tells nothing.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';

/** `view` reads; `operate` changes as well. */
export const roles = ['view', 'operate'] as const;
export type Role = (typeof roles)[number];

/** Whoever bears a token; the name goes into the operators' log. */
export type Caller = { name: string; role: Role };
export type NamedToken = Caller & { token: string };

const nameShape = /^[A-Za-z0-9._@-]{1,64}$/;

const digestOf = (text: string) => createHash('sha256').update(text).digest();

export class Tokens {
  readonly #known: readonly { caller: Caller; digest: Buffer }[];

  /**
   * @throws TidemarkError CONFIG_INVALID when one token has two names: nobody could say who it was
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
   * Whose token the header `Authorization` bears, or null. All are looked at, so that the time is
   * the same for each.
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
 * A file of lines `role name token`; empty lines and those that begin with # are left out.
 * @throws TidemarkError CONFIG_INVALID naming the line, never what stands in it
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
    throw new TidemarkError('CONFIG_INVALID', `${where}: expected one token behind the name`);
  return { role: role as Role, name, token };
}

/**
 * A file that holds one token and nothing else; null when it is empty.
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
