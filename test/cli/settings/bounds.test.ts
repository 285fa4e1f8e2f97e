/**
 * The bounds an operator sets: by flag, variable and file, as people write sizes, and handed on to
 * a worker that is a child.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { limits } from '../../../contracts/limits.ts';
import { boundsArgs } from '../../../cli/settings/bounds.ts';
import { resolveConfig } from '../../../cli/settings/config.ts';
import { tempFolder, tidemark } from '../../kit/processes/cli-fixture.ts';

test('bounds have defaults, and a flag goes before a variable, a variable before the file (I9)', () => {
  using folder = tempFolder();
  const data = folder.path;
  expect(resolveConfig({ data }, {}).bounds).toEqual({
    journalBytesMax: limits.journalBytesMax,
    pendingMax: limits.pendingEntriesMax,
    diskFreeMin: null,
  });
  const config = join(data, 'tidemark.json');
  writeFileSync(
    config,
    JSON.stringify({ journalBytesMax: '1G', pendingMax: '7', diskFreeMin: '3M' }),
  );
  expect(resolveConfig({ data, config }, {}).bounds).toEqual({
    journalBytesMax: 1024 ** 3,
    pendingMax: 7,
    diskFreeMin: 3 * 1024 ** 2,
  });
  const environment = {
    TIDEMARK_JOURNAL_BYTES_MAX: '2GiB',
    TIDEMARK_PENDING_MAX: '8',
    TIDEMARK_DISK_FREE_MIN: '0',
  };
  expect(resolveConfig({ data, config, pendingMax: '9' }, environment).bounds).toEqual({
    journalBytesMax: 2 * 1024 ** 3,
    pendingMax: 9,
    diskFreeMin: 0,
  });
});

test.each([
  ['journalBytesMax', '--journal-bytes-max', 'much'],
  ['journalBytesMax', '--journal-bytes-max', '-1'],
  ['journalBytesMax', '--journal-bytes-max', '1M'],
  ['journalBytesMax', '--journal-bytes-max', '5 light years'],
  ['pendingMax', '--pending-max', '0'],
  ['pendingMax', '--pending-max', '1.5'],
  ['pendingMax', '--pending-max', 'G'],
  ['diskFreeMin', '--disk-free-min', ''.padEnd(3)],
  ['diskFreeMin', '--disk-free-min', '1e9Z'],
])('%s: %s %j is refused by the name it was given under', (name, flag, text) => {
  using folder = tempFolder();
  expect(() => resolveConfig({ data: folder.path, [name]: text }, {})).toThrow(
    expect.objectContaining({
      code: 'CONFIG_INVALID',
      message: expect.stringMatching(`^${flag} `) as string,
    }),
  );
});

test('what was resolved is what a child is given', () => {
  using folder = tempFolder();
  const { bounds } = resolveConfig(
    { data: folder.path, journalBytesMax: '1.5G', diskFreeMin: '10M' },
    {},
  );
  const [, bytes, , pending, , free] = boundsArgs(bounds);
  expect(
    resolveConfig(
      {
        data: folder.path,
        journalBytesMax: bytes as string,
        pendingMax: pending as string,
        diskFreeMin: free as string,
      },
      {},
    ).bounds,
  ).toEqual(bounds);
});

test('a worker with a bound that is none ends with exit 2 and the name of the setting', async () => {
  expect(await tidemark(['worker', '--journal-bytes-max', 'much'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--journal-bytes-max "much" is not a size'),
  });
});
