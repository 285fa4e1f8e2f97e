/**
 * Texts as they may be shown: what stands before the @ of a URL logs somebody in, and what is
 * called a password is one.
 */

/** Also where the URL is in the middle of a sentence, and where there are several. */
export function masked(text: string): string {
  return (
    text
      // Up to the last @: a password may have one that nobody encoded.
      .replaceAll(/(:\/\/)[^\s"'<>/]*@/g, '$1***@')
      .replaceAll(/([?&;](?:password|pwd|token|secret)=)[^&;\s"']*/gi, '$1***')
  );
}
