/**
 * Text with NUL characters for PostgreSQL, whose text has none: it is stored with a code point in
 * their place that Unicode keeps for a program's own use, and read back as it was.
 */

/**
 * U+FDD0, which is no character and in no text: followed by 0 it stands for NUL, by 1 for itself.
 * In `jsonb`, which knows no NUL either, the same within the strings.
 */
const stand = '\uFDD0';
const nul = '\u0000';

/** As PostgreSQL stores it; the same text where nothing is in the way. */
export function withoutNul(text: string): string {
  if (!text.includes(nul) && !text.includes(stand)) return text;
  return text.replaceAll(stand, `${stand}1`).replaceAll(nul, `${stand}0`);
}

/** As it was. */
export function withNul(stored: string): string {
  if (!stored.includes(stand)) return stored;
  return stored.replaceAll(/\uFDD0([01])/g, (_, which) => (which === '0' ? nul : stand));
}

/** JSON text for a `jsonb` column. */
export function jsonWithoutNul(json: string): string {
  if (!json.includes(stand) && !/\\u(?:0000|fdd0)/i.test(json)) return json;
  // Each escape is taken whole, so that the second half of `\\\\` begins none.
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
