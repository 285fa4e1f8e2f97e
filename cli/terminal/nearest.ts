/** Guesses the word that was meant: the known word within a few keystrokes. */

/**
 * The nearest word, preferring one that begins as typed; null when none is within a third of its
 * length.
 */
export function nearestOf(typed: string, words: readonly string[]): string | null {
  let nearest: string | null = null;
  let least = Number.POSITIVE_INFINITY;
  for (const word of words) {
    const edits = editsBetween(typed.toLowerCase(), word.toLowerCase());
    const distance = word.startsWith(typed) ? edits - 0.5 : edits;
    if (distance < least && edits <= Math.max(1, Math.ceil(word.length / 3))) {
      nearest = word;
      least = distance;
    }
  }
  return nearest;
}

/** Letters to insert, delete or replace to turn one word into the other. */
function editsBetween(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, at) => at);
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (one[i - 1] === other[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[other.length] ?? 0;
}
