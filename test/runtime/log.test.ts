/** A line of a process's log is JSON that reads back as it was said, and steers no terminal. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

test('I14: what others named is in the log without controls, and reads back the same', () => {
  const said = '\u001b]52;c;x\u0007\u009b2J\u202egnp';
  const script =
    `import { createLog } from ${JSON.stringify(join(import.meta.dirname, '../../runtime/log.ts'))};` +
    'createLog("test").warn({ hash: process.env.SAID }, process.env.SAID);';
  const line = execFileSync(
    'sh',
    ['-c', 'exec "$0" --input-type=module -e "$1" 2>&1 >&-', process.execPath, script],
    {
      env: { SAID: said },
      encoding: 'utf8',
    },
  );
  // eslint-disable-next-line no-control-regex
  expect(line.trimEnd()).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e]/);
  expect(JSON.parse(line)).toMatchObject({ hash: said, msg: said });
});
