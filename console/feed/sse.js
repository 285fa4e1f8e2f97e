/** Parses server-sent events from a stream of text. Pure. */

/** Most characters in one event; the largest of a worker has some hundred thousand. */
const eventCharsMax = 8_000_000;

/**
 * Takes text in chunks of any size, and passes on complete events.
 * @param {(name: string, data: string) => void} onEvent
 * @returns {(text: string) => void}
 */
export function eventReader(onEvent) {
  let rest = '';
  return (text) => {
    rest += text;
    const blocks = rest.split('\n\n');
    rest = blocks.pop() ?? '';
    if (rest.length > eventCharsMax) throw new Error('an event without an end');
    for (const block of blocks) {
      let name = 'message';
      const data = [];
      for (const line of block.split('\n')) {
        if (line.startsWith('event:')) name = line.slice(6).trim();
        else if (line.startsWith('data:')) data.push(line.slice(5).replace(/^ /, ''));
      }
      if (data.length > 0) onEvent(name, data.join('\n'));
    }
  };
}
