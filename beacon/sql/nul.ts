/**
 * NUL characters for PostgreSQL, whose text cannot hold them: each is replaced by a code point that
 * Unicode reserves for internal use, and restored when read.
 */

/**
 * U+FDD0 is not a character and appears in no valid text. Followed by 0 it means NUL, followed by 1
 * itself. The same is used in the strings of `jsonb`, which cannot hold NUL either.
 */
const stand = '\uFDD0';
const nul = '\u0000';

/** The text as PostgreSQL stores it; usually unchanged. */
export function withoutNul(text: string): string {
  if (!text.includes(nul) && !text.includes(stand)) return text;
  return text.replaceAll(stand, `${stand}1`).replaceAll(nul, `${stand}0`);
}

/** Restores the original text. */
export function withNul(stored: string): string {
  if (!stored.includes(stand)) return stored;
  return stored.replaceAll(/\uFDD0([01])/g, (_, which) => (which === '0' ? nul : stand));
}

/** JSON text for a `jsonb` column. */
export function jsonWithoutNul(json: string): string {
  if (!json.includes(stand) && !/\\u(?:0000|fdd0)/i.test(json)) return json;
  // Escapes are matched whole, so that the second half of `\\\\` does not start one.
  return json
    .replaceAll(stand, `${stand}1`)
    .replaceAll(/\\(?:u[0-9a-f]{4}|.)/gi, (escape) => escapes[escape.toLowerCase()] ?? escape);
}

const escapes: Readonly<Record<string, string>> = {
  '\\u0000': `${stand}0`,
  '\\ufdd0': `${stand}1`,
};

export function jsonWithNul(stored: string): string {
  if (!stored.includes(stand)) return stored;
  return stored.replaceAll(/\uFDD0([01])/g, (_, which) => (which === '0' ? '\\u0000' : stand));
}
