/**
 * What systemd's journal is told of each line's weight, only where our output really goes there;
 * and how much is logged at all.
 */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { tempDir } from '../kit/temp-dir.ts';

const program = fileURLToPath(new URL('../../bin/tidemark.js', import.meta.url));

/**
 * What a databeacon with a wrong database logs, to a file that is or is not the journal's stream.
 */
async function logged(isJournal: boolean, level = 'info'): Promise<string> {
  using folder = tempDir('journal');
  const path = folder.at('stderr');
  const file = openSync(path, 'w');
  const { dev, ino } = statSync(path);
  const env = {
    PATH: process.env['PATH'],
    NOTIFY_SOCKET: join(folder.path, 'nobody'),
    JOURNAL_STREAM: isJournal ? `${dev}:${ino}` : `${dev}:1`,
  };
  const child = spawn(
    process.execPath,
    [
      program,
      'beacon',
      '--id',
      'db-1',
      '--db',
      'nonsense',
      '--data',
      folder.at('data'),
      '--nats',
      'nats://127.0.0.1:1',
      '--log-level',
      level,
    ],
    { env, cwd: folder.path, stdio: ['ignore', 'ignore', file] },
  );
  const code = await new Promise((resolve) => {
    child.once('exit', resolve);
  });
  closeSync(file);
  expect(code).toBe(2);
  return (
    readFileSync(path, 'utf8')
      .split('\n')
      .find((line) => line.includes('databeacon stopped')) ?? ''
  );
}

test.concurrent('an error has priority 3 in the journal', async () => {
  expect(await logged(true)).toMatch(/^<3>\{"level":50,/);
});

test.concurrent('where the output goes elsewhere the line is JSON from its first character', async () => {
  expect(JSON.parse(await logged(false))).toMatchObject({ level: 50, name: 'databeacon' });
});

test.concurrent('a databeacon logs no more than it is told to', async () => {
  expect(await logged(true, 'silent')).toBe('');
});
