/**
 * Trace context in headers: strictly read, bounded, written as it was read; and how the context of
 * a delivery is made from those of its writes.
 */
import { SpanKind } from '@opentelemetry/api';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { limits } from '../../contracts/limits.ts';
import { linksIn, send, traceHeaders, traceIn, validTrace } from '../../runtime/trace.ts';
import { parentOf, traceIdOf } from '../kit/traces.ts';

const headersOf = (values: Record<string, string>) => ({
  get: (name: string) => values[name] ?? '',
});
const read = (traceparent: string, tracestate = '') =>
  traceIn(headersOf({ traceparent, tracestate }));
const spec = { name: 'deliver', kind: SpanKind.PRODUCER, attributes: {} };
/** Headers of what is sent with these contexts. */
const sentWith = (...traces: string[]) => send(spec, traces, () => Promise.resolve(traceHeaders()));

describe('a traceparent', () => {
  test.for([
    ['as the standard shows it', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'],
    ['that is not sampled', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00'],
  ])('%s is taken as it is', ([, text = '']) => expect(read(text)).toBe(text));

  test.for([
    ['of a later version', 'cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'],
    [
      'of a later version with more behind it',
      'cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-will-be',
    ],
    ['with flags nobody knows yet', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff'],
  ])('%s is taken as one of ours', ([, text = '']) =>
    expect(read(text)).toBe('00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'),
  );

  test.for([
    ['no version', 'ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'],
    [
      'more behind it in our version',
      '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more',
    ],
    ['a trace of zeros', `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`],
    ['a span of zeros', `00-4bf92f3577b34da6a3ce929d0e0e4736-${'0'.repeat(16)}-01`],
    ['capitals', '00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01'],
    ['a blank before it', ' 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'],
    ['a short trace', '00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01'],
    ['no flags', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7'],
    ['a line of its own', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\nx'],
    [
      'no end',
      `cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-${'x'.repeat(limits.traceParentCharsMax)}`,
    ],
    ['nothing', ''],
  ])('with %s is none', ([, text = '']) => expect(read(text)).toBeNull());

  test('is found with a capital, as some clients write headers', () => {
    expect(traceIn(headersOf({ Traceparent: parentOf('a'), Tracestate: 'v=1' }))).toBe(
      `${parentOf('a')}\nv=1`,
    );
    expect(traceIn(undefined)).toBeNull();
  });

  test('whatever the headers, what is kept is short, and is read again as itself', () => {
    const state = fc.oneof(
      fc.string(),
      fc.string({ minLength: 400, maxLength: 700 }),
      fc
        .array(fc.tuple(fc.stringMatching(/^[a-z]{1,9}$/), fc.stringMatching(/^[a-z0-9]{1,9}$/)), {
          maxLength: 50,
        })
        .map((pairs) => pairs.map((pair) => pair.join('=')).join(',')),
    );
    fc.assert(
      fc.property(fc.oneof(fc.constant(parentOf('a')), fc.string()), state, (parent, given) => {
        const kept = read(parent, given);
        if (parent === parentOf('a')) expect(kept?.startsWith(parent)).toBe(true);
        if (kept === null) return;
        expect(kept.length).toBeLessThanOrEqual(56 + limits.traceStateCharsMax);
        expect(kept.split('\n').length).toBeLessThanOrEqual(2);
        expect(validTrace(kept)).toBe(kept);
      }),
      { numRuns: 500 },
    );
  });

  test("a tracestate that is too long or none of the standard's is left out, and its trace stays", () => {
    expect(read(parentOf('a'), 'v=1,w=2')).toBe(`${parentOf('a')}\nv=1,w=2`);
    expect(read(parentOf('a'), 'no state')).toBe(parentOf('a'));
    expect(read(parentOf('a'), `v=${'1'.repeat(limits.traceStateCharsMax)}`)).toBe(parentOf('a'));
    expect(read('nonsense', 'v=1')).toBeNull();
  });

  test('what is no context in a file is none', () => {
    for (const text of [null, 7, '', 'x', `\n${parentOf('a')}`])
      expect(validTrace(text)).toBeNull();
  });
});

describe('the context of a delivery, where nothing records spans', () => {
  test('of one context is that context, with its tracestate, whatever the number of writes', async () => {
    expect(await sentWith(`${parentOf('a')}\nv=1`, `${parentOf('a')}\nv=1`)).toEqual({
      traceparent: parentOf('a'),
      tracestate: 'v=1',
    });
  });

  test('of none is none, and outside of a delivery there is none', async () => {
    expect(await sentWith()).toEqual({});
    expect(await sentWith('rubbish')).toEqual({});
    await sentWith(parentOf('a'));
    expect(traceHeaders()).toEqual({});
  });

  test('of several is its own, sampled where one of them is, and names theirs, up to a bound', async () => {
    const [a, b] = [parentOf('a', '1', '00'), parentOf('b', '2', '01')];
    const headers = await sentWith(a, b);
    expect(read(headers['traceparent'] ?? '')).toBe(headers['traceparent']);
    expect(headers['traceparent']).toMatch(/-01$/);
    expect([traceIdOf(a), traceIdOf(b)]).not.toContain(traceIdOf(headers['traceparent']));
    expect(linksIn(headersOf(headers))).toEqual([a, b]);
    const many = Array.from(
      { length: 200 },
      (_, n) => `00-${(n + 1).toString(16).padStart(32, '0')}-${'1'.repeat(16)}-00`,
    );
    expect(linksIn(headersOf(await sentWith(...many)))).toEqual(
      many.slice(0, limits.traceLinksSentMax),
    );
  });

  test('side by side keep their own', async () => {
    const wait = (ms: number) =>
      new Promise((resolve) => {
        setTimeout(resolve, ms);
      });
    const both = await Promise.all(
      [
        ['a', 20],
        ['b', 5],
      ].map(([digit, ms]) =>
        send(spec, [parentOf(String(digit))], async () => {
          await wait(Number(ms));
          return traceIdOf(traceHeaders()['traceparent']);
        }),
      ),
    );
    expect(both).toEqual(['a'.repeat(32), 'b'.repeat(32)]);
  });

  test('links of a stranger are bounded and checked', () => {
    expect(
      linksIn(headersOf({ 'Tidemark-Trace-Links': `${parentOf('a')} x  ${parentOf('b')}` })),
    ).toEqual([parentOf('a'), parentOf('b')]);
    expect(linksIn(headersOf({ 'Tidemark-Trace-Links': 'x'.repeat(1_000_000) }))).toEqual([]);
  });
});
