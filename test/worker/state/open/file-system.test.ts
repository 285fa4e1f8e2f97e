/** Where a journal may lie: local disks, nothing else unless the operator takes the risk. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import {
  assertDurable,
  doubtOf,
  fileSystemAt,
  fileSystemOf,
} from '../../../../worker/state/open/file-system.ts';
import { openStore } from '../../../../worker/state/open/open-store.ts';
import { tidemark } from '../../../kit/processes/cli-fixture.ts';
import { folderOfTest } from '../../../kit/worker/fixture.ts';

const inMemory = '/dev/shm';
const isMemoryThere = existsSync(inMemory) && fileSystemAt(inMemory).is === 'memory';

function memoryFolder(): string {
  const path = mkdtempSync(join(inMemory, 'tidemark-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test.each([
  [0x6969, 'NFS', 'network'],
  [0xff534d42, 'CIFS', 'network'],
  [-11317950, 'CIFS', 'network'],
  [0xfe534d42, 'SMB2', 'network'],
  [0x517b, 'SMB', 'network'],
  [0x01021997, '9p', 'network'],
  [0x5346414f, 'AFS', 'network'],
  [0x00c36400, 'Ceph', 'network'],
  [0x01021994, 'tmpfs', 'memory'],
  [0x858458f6, 'ramfs', 'memory'],
  [-2054924042, 'ramfs', 'memory'],
  [0x65735546, 'FUSE', 'unsure'],
  [0xef53, 'local', 'local'],
  [0x58465342, 'local', 'local'],
  [0x9123683e, 'local', 'local'],
  [0x794c7630, 'local', 'local'],
] as const)('statfs type %i is %s, %s', (type, name, is) => {
  expect(fileSystemOf(type)).toEqual({ name, is });
});

test('a folder that is not there yet is judged by the nearest parent', () => {
  const dir = folderOfTest();
  expect(fileSystemAt(dir.at('not', 'yet'))).toEqual(fileSystemAt(dir.path));
  expect(doubtOf(dir.path)).toBeNull();
});

test('memory is refused in one line, before anything is made, and allowed on request with a word of warning', () => {
  // Every Linux has it; elsewhere the table above is all there is to hold.
  if (!isMemoryThere) return;
  const dataDir = join(memoryFolder(), 'data');
  expect(() => assertDurable(dataDir, false)).toThrow(
    expect.objectContaining({
      code: 'CONFIG_INVALID',
      message: expect.stringMatching(/tmpfs.*--any-file-system/),
    }),
  );
  expect(() => openStore(dataDir)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  expect(existsSync(dataDir)).toBe(false);
  const told: string[] = [];
  openStore(dataDir, ({ What }) => told.push(What), { isAnyFileSystem: true }).close();
  expect(told).toEqual([expect.stringContaining('tmpfs')]);
});

test('a worker on it ends with exit code 2', async () => {
  if (!isMemoryThere) return;
  const dataDir = join(memoryFolder(), 'data');
  const ran = await tidemark([
    'worker',
    '--data',
    dataDir,
    '--nats',
    'nats://127.0.0.1:1',
    '--http',
    '127.0.0.1:0',
  ]);
  expect(ran.code).toBe(2);
  expect(ran.stderr.trim().split('\n')).toEqual([expect.stringContaining('tmpfs')]);
  expect(existsSync(dataDir)).toBe(false);
});
