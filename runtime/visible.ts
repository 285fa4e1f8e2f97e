/**
 * Makes text from others safe to show: characters that control a terminal, change the reading
 * direction or are invisible are escaped as in JSON.
 */

/**
 * C0 except tab and line feed, DEL, C1, direction marks, line separators and the byte-order mark.
 */
const steering =
  // eslint-disable-next-line no-control-regex
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** Inside a JSON string the escaped text means the same. */
export function visible(text: string): string {
  return text.replace(steering, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
