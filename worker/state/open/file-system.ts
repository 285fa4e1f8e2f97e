/**
 * Decides which file systems a journal may lie on: writes must survive a crash of the machine, and
 * locks must work.
 */
import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { TidemarkError } from '../../../contracts/errors.ts';

type Kind = { name: string; is: 'network' | 'memory' | 'unsure' };

/** Magic numbers of Linux's statfs. Numbers that are not listed count as local disks. */
const kinds: Readonly<Record<number, Kind>> = {
  0x6969: { name: 'NFS', is: 'network' },
  0x517b: { name: 'SMB', is: 'network' },
  0xff534d42: { name: 'CIFS', is: 'network' },
  0xfe534d42: { name: 'SMB2', is: 'network' },
  0x01021997: { name: '9p', is: 'network' },
  0x5346414f: { name: 'AFS', is: 'network' },
  0x6b414653: { name: 'kAFS', is: 'network' },
  0x73757245: { name: 'Coda', is: 'network' },
  0x00c36400: { name: 'Ceph', is: 'network' },
  0x0bd00bd0: { name: 'Lustre', is: 'network' },
  0x7461636f: { name: 'OCFS2', is: 'network' },
  0x01161970: { name: 'GFS2', is: 'network' },
  0x47504653: { name: 'GPFS', is: 'network' },
  0x01021994: { name: 'tmpfs', is: 'memory' },
  0x858458f6: { name: 'ramfs', is: 'memory' },
  0x65735546: { name: 'FUSE', is: 'unsure' },
};

const local = { name: 'local', is: 'local' } as const;
export type FileSystem = { name: string; is: Kind['is'] | 'local' };

/** The file system of a statfs type number, which is signed on 32-bit systems. */
export function fileSystemOf(type: number): FileSystem {
  return kinds[type >>> 0] ?? local;
}

/** The file system of a path, or of its nearest parent that exists. */
export function fileSystemAt(path: string): FileSystem {
  try {
    return fileSystemOf(statfsSync(path).type);
  } catch {
    const parent = dirname(path);
    return parent === path ? local : fileSystemAt(parent);
  }
}

/**
 * The warning at a start on a file system that is allowed but may lose writes or locks; null on a
 * local disk.
 */
export function doubtOf(dataDir: string): string | null {
  const { name, is } = fileSystemAt(dataDir);
  if (is === 'local') return null;
  return is === 'unsure'
    ? `${dataDir} lies on ${name}: syncs and locks are as good as what is behind it`
    : `${dataDir} lies on ${name}, a ${is} file system, and that was allowed`;
}

/**
 * @param isAnyAllowed the operator gave --any-file-system and takes the risk
 * @throws TidemarkError CONFIG_INVALID for a network or memory file system
 */
export function assertDurable(dataDir: string, isAnyAllowed: boolean): void {
  const { name, is } = fileSystemAt(dataDir);
  if (isAnyAllowed || is === 'local' || is === 'unsure') return;
  const why =
    is === 'memory'
      ? 'what is accepted would be gone with the machine'
      : 'locks and syncs are not to be trusted there';
  throw new TidemarkError(
    'CONFIG_INVALID',
    `--data ${dataDir} lies on ${name}, a ${is} file system: ${why}; use a local disk, ` +
      'or --any-file-system if you know better',
  );
}
