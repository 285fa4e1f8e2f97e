/** Server-sent events out of a stream of text. Pure. */

/** Characters of one event at most; a worker's largest is some hundred thousand. */
const eventCharsMax = 8_000_000;

/**
 * Takes text as it comes, however cut, and gives the events that are whole.
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
