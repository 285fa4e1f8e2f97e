/** What others named reaches no terminal, log or page as a control. */
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { facts, table } from '../../cli/terminal/output.ts';
import { overwriting, safe } from '../../cli/terminal/writer.ts';
import { visible } from '../../runtime/visible.ts';

/** The page's own, which has no types here. */
const page = join(import.meta.dirname, '..', '..', 'console', 'parts', 'format.js');
const { pageAt, visible: onPage } = (await import(page)) as {
  pageAt: (address: string | null) => URL | null;
  visible: (text: string) => string;
};

/** OSC 52 puts text on the clipboard; a C1 control does the same in one character. */
const planted = [
  '\u001b]52;c;cm0gLXJm\u0007',
  '\u009d52;c;x\u009c',
  '\u202egnp.exe',
  '\r\u001b[2K',
];
// eslint-disable-next-line no-control-regex
const control = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/;
// eslint-disable-next-line no-control-regex
const ownStyle = /\u001b\[(?:1|2|22|31|32|33|36|39)m/g;

test.each(planted)('I14: %j is written out wherever it stands', (text) => {
  const shown = JSON.stringify(visible(text));
  expect(JSON.parse(shown.replaceAll('\\\\u', '\\u'))).toBe(text);
  for (const seen of [
    visible(text),
    onPage(text),
    safe(`tidemark: no hash ${text}\n`),
    table(['key'], [[text], ['b']]),
    facts([['who', text]]),
    overwriting(text).slice('\r\u001b[K'.length),
  ])
    expect(seen.replace(ownStyle, '')).not.toMatch(control);
});

test('I14: whatever the text, only our own colours go to a terminal, and JSON stays the same', () => {
  const unit = fc.constantFrom(
    '\u001b',
    '[',
    ']',
    '32',
    '39',
    '0',
    'm',
    ';',
    '\u009b',
    'a',
    '\n',
    'é',
  );
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit })), (text) => {
      expect(safe(text).replaceAll(ownStyle, '')).not.toMatch(control);
      expect(visible(visible(text))).toBe(visible(text));
      expect(JSON.parse(safe(JSON.stringify({ text })))).toEqual({ text });
    }),
    { numRuns: 500 },
  );
  expect(safe('\u001b[32mok\u001b[39m\tä 日本 🌊\n')).toBe('\u001b[32mok\u001b[39m\tä 日本 🌊\n');
});

test('I14: a link to the console of a foreign worker opens a page and nothing else', () => {
  for (const address of [
    'javascript:alert(1)',
    'data:text/html,x',
    'file:///etc/passwd',
    'http://hub1:pw@evil.example/',
    'https://trusted.example@evil.example/',
    'ssh://h',
    'http:',
    '',
    null,
  ])
    expect([address, pageAt(address)]).toEqual([address, null]);
  expect(pageAt('http://10.0.0.1:8390')?.host).toBe('10.0.0.1:8390');
  // Of a name in another script its host is shown as it is asked for.
  expect(pageAt('https://tidеmark.example/')?.host).toMatch(/^xn--/);
});
