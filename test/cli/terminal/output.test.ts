/**
 * What a person sees: colour on a terminal alone, tables that fit it, progress that does not flood;
 * checked on a real pseudo-terminal.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { coloured } from '../../../cli/terminal/colour.ts';
import { facts, table } from '../../../cli/terminal/output.ts';
import { Progress } from '../../../cli/terminal/progress.ts';
import { openLocal } from '../../../worker/journal/local.ts';
import { openStore } from '../../../worker/state/open/open-store.ts';
import { ManualClock } from '../../kit/manual-clock.ts';
import { launcher, tempFolder, tidemark } from '../../kit/processes/cli-fixture.ts';

const escape = '\u001b[';

/**
 * Nothing of the machine's own: Node decides about colour by a dozen names (CI, TMUX, COLORTERM,
 * NO_COLOR and more).
 */
function plainly(env: Record<string, string>): NodeJS.ProcessEnv {
  return {
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    TMPDIR: process.env.TMPDIR,
    TERM: 'xterm-256color',
    ...env,
  };
}

/** The command line on a pseudo-terminal of that many columns; both streams come as one. */
async function onTerminal(
  args: string,
  env: Record<string, string> = {},
  columns = 120,
): Promise<string> {
  const command = `stty cols ${columns}; ${process.execPath} ${launcher} ${args}`;
  const { stdout } = await promisify(execFile)('script', ['-qec', command, '/dev/null'], {
    env: plainly(env),
  }).catch((error: { stdout: string }) => error);
  return stdout;
}

async function inPipe(args: readonly string[], env: Record<string, string> = {}): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [launcher, ...args], {
    env: plainly(env),
  }).catch((error: { stdout: string }) => error);
  return stdout;
}

describe('colour', () => {
  // A memory file system is a failure of its own.
  const nowhere = '--data /dev/shm/tidemark-nowhere --nats nats://127.0.0.1:1';

  test('on a terminal, where nobody forbids it; the word is there in any case', async () => {
    const seen = await onTerminal(`doctor ${nowhere}`);
    expect(seen).toContain(`${escape}31mfail`);
    expect(seen).toContain(`${escape}32mok`);
    for (const env of [{ NO_COLOR: '1' }, { TERM: 'dumb' }, { NODE_DISABLE_COLORS: '1' }]) {
      const plain = await onTerminal(`doctor ${nowhere}`, env);
      expect(plain).not.toContain(escape);
      expect(plain).toMatch(/^fail +file system/m);
    }
  }, 60_000);

  test('not in a pipe, but with FORCE_COLOR', async () => {
    const args = ['doctor', ...nowhere.split(' ')];
    expect(await inPipe(args)).not.toContain(escape);
    expect(await inPipe(args, { FORCE_COLOR: '1' })).toContain(`${escape}31mfail`);
    expect(await inPipe([...args, '--json'], { FORCE_COLOR: '1' })).not.toContain(escape);
  }, 60_000);

  test('a word that is no state has none', () => {
    const terminal = Object.assign(Object.create(process.stdout) as NodeJS.WriteStream, {
      isTTY: true,
      getColorDepth: () => 8,
    });
    expect(coloured('waiting-for-beacon, paused', terminal)).toBe(
      `${escape}33mwaiting-for-beacon, paused${escape}39m`,
    );
    expect(coloured('db-1', terminal)).toBe('db-1');
    expect(coloured('constructor', terminal)).toBe('constructor');
  });
});

describe('tables', () => {
  const headings = ['seq', 'state', 'reason'];
  const rows = [
    [
      1_763_712_000_000_042,
      'bootstrapped',
      'a reason that is rather long, and goes on for a while, as reasons of databases do',
    ],
    [7, 'error', null],
  ];

  test.each([200, 80, 60, 40])('at %i columns no line is longer, and no number is cut', (width) => {
    const text = table(headings, rows, '', width);
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(width);
    expect(text).toContain('1763712000000042');
    expect(text).toContain('bootstrapped');
    expect(text.includes('…')).toBe(width < 112);
  });

  test('where columns cannot fit, rows go below each other, whole', () => {
    expect(table(headings, rows, '', 20)).toBe(
      [
        facts([
          ['seq', rows[0]?.[0]],
          ['state', 'bootstrapped'],
          ['reason', rows[0]?.[2]],
        ]),
        '',
        facts([
          ['seq', 7],
          ['state', 'error'],
          ['reason', null],
        ]),
      ].join('\n'),
    );
  });

  test('where it is no terminal, nothing is cut', () => {
    expect(table(headings, rows)).toContain('as reasons of databases do');
  });

  test('on a narrow terminal the help and a table fit', async () => {
    for (const args of [
      'config show',
      'journal stats --data /nowhere --nats nats://127.0.0.1:1',
      'help',
      'help hwm set',
    ]) {
      const lines = (await onTerminal(args, { NO_COLOR: '1' }, 60)).split(/\r?\n/);
      expect(
        lines.filter((line) => line.length > 60 && !/^(?:tidemark:|Going|  tidemark )/.test(line)),
      ).toEqual([]);
    }
  }, 60_000);
});

test('I14: a terminal gets no control that somebody put into a name, in tables and in mistakes', async () => {
  using folder = tempFolder();
  const data = folder.path;
  const store = openStore(data);
  const planted = '\u001b]52;c;cm0gLXJm\u0007\u009d\u202e';
  store.db
    .prepare(
      'insert into operator_action (at_ms, who, via, action, detail, outcome, reason) values ' +
        "(1, ?, 'bus', ?, ?, 'done', ?)",
    )
    .run(planted, planted, planted, planted);
  store.close();
  const seen = [
    await onTerminal(`log --offline --data ${data}`),
    await onTerminal(`log --offline --json --data ${data}`),
    await onTerminal(`log --offline --data "$(printf '/none\\033]52;c;x\\007')"`),
    await onTerminal(`"$(printf 'x\\033]52;c;x\\007')"`),
  ];
  expect(seen.map((one) => one.includes('\\u001b]52;c;'))).toEqual([true, true, true, true]);
  // eslint-disable-next-line no-control-regex
  for (const one of seen) expect(one).not.toMatch(/\u001b\]|\u0007|\u009d|\u202e/);
}, 60_000);

describe('progress', () => {
  const told = (isTerminal: boolean) => {
    const clock = new ManualClock();
    const out: string[] = [];
    const progress = new Progress(
      { isTerminal, columns: 20, write: (text) => void out.push(text) },
      clock,
    );
    return { clock, out, progress };
  };

  test('on a terminal one line is written over, a few times a second, and is gone at the end', async () => {
    const { clock, out, progress } = told(true);
    for (let n = 0; n < 100; n++) {
      progress.tell(`${n} of a hundred, and a long tail`);
      await clock.advance(50);
    }
    progress.end();
    expect(out.length).toBeLessThanOrEqual(27);
    expect(
      out.every(
        (text) => text.startsWith('\r\u001b[K') && !text.includes('\n') && text.length <= 4 + 19,
      ),
    ).toBe(true);
    expect(out.at(-1)).toBe('\r\u001b[K');
  });

  test('elsewhere plain lines, one in two seconds, the last one too', async () => {
    const { clock, out, progress } = told(false);
    for (let n = 0; n < 100; n++) {
      progress.tell(`${n}`);
      await clock.advance(50);
    }
    progress.end();
    expect(out).toEqual(['0\n', '40\n', '80\n', '99\n']);
    expect(out.join('')).not.toContain('\r');
  });

  test('a verification on a terminal leaves no progress behind; into a pipe it says what it checks', async () => {
    using folder = tempFolder();
    const data = folder.path;
    const store = openStore(data);
    openLocal(store, 'hub1');
    store.close();
    const terminal = await onTerminal(`journal verify --data ${data}`);
    expect(terminal.replaceAll(`\r${escape}K`, '<')).toMatch(
      /^<checking [^\n]*<the journal is sound\r\n$/,
    );
    expect(await tidemark(['journal', 'verify', '--data', data])).toMatchObject({
      code: 0,
      stdout: 'the journal is sound\n',
      stderr: expect.stringMatching(/^checking [^\r]*\nchecking [^\r]*\n$/),
    });
  }, 60_000);
});
