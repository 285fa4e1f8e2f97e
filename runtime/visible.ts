/**
 * Text that others named, so that it can be shown: what would steer a terminal, turn the direction
 * of reading or hide is written out, as JSON writes it.
 */

/** C0 but tab and line feed, DEL, C1, marks of direction, separators of lines, the byte order mark. */
const steering =
  // eslint-disable-next-line no-control-regex
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** Within JSON it is the same text. */
export function visible(text: string): string {
  return text.replace(steering, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
