/**
 * The layer of C between a process and its files: built when first wanted, told what to make fail,
 * and its record read back.
 */
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { canInstall, installPackage } from '../../../runtime/debian-package.ts';

const source = join(import.meta.dirname, 'fault-layer.c');

/** Path of the built library. @throws Error when no compiler is there and none can be installed */
export function faultLayer(): string {
  return builtLayer(source);
}

/** The library of a layer's source; throws as `faultLayer` does. */
export function builtLayer(source: string): string {
  const digest = createHash('sha256').update(readFileSync(source)).digest('hex').slice(0, 12);
  const library = join(tmpdir(), `tidemark-${basename(source, '.c')}-${digest}.so`);
  if (existsSync(library)) return library;
  const beside = `${library}.${process.pid}`;
  const { status, stderr } = spawnSync(
    compiler(),
    ['-shared', '-fPIC', '-nostdlib', '-w', '-o', beside, source],
    { encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`${source} does not compile: ${stderr}`);
  spawnSync('mv', [beside, library]);
  return library;
}

function compiler(): string {
  const find = () =>
    ['cc', 'gcc', 'clang', 'tcc'].find(
      (name) => spawnSync(name, [name === 'tcc' ? '-v' : '--version']).status === 0,
    );
  const found = find();
  if (found) return found;
  if (canInstall()) installPackage('tcc', (line) => void process.stderr.write(`${line}\n`));
  const installed = find();
  if (!installed) throw new Error('the fault layer needs a C compiler: install gcc, clang or tcc');
  return installed;
}

/**
 * What fails and how: a full disk (overwriting still works), a read-only one, an error of the
 * device, no permission.
 */
export type Failure = {
  write?: 'ENOSPC' | 'EROFS' | 'EIO';
  sync?: 'EIO';
  open?: 'EACCES' | 'EROFS' | 'ENOSPC';
  names?: 'EROFS' | 'EACCES' | 'ENOSPC';
};

const letters = { ENOSPC: 'n', EROFS: 'r', EIO: 'i', EACCES: 'a' } as const;

/** The layer over one folder. */
export class FaultLayer {
  readonly #folder: string;
  readonly #control: string;
  readonly #log: string | null;

  /** @param folder whose files it sees @param home where its own files go, elsewhere */
  constructor(folder: string, home: string, isRecording = false) {
    mkdirSync(home, { recursive: true });
    this.#folder = folder;
    this.#control = join(home, 'control');
    this.#log = isRecording ? join(home, 'log') : null;
    writeFileSync(this.#control, '----');
    if (this.#log) writeFileSync(this.#log, '');
  }

  /** For the process below it. */
  get env(): Record<string, string> {
    return {
      LD_PRELOAD: faultLayer(),
      TIDEMARK_FAULT_DIR: this.#folder,
      TIDEMARK_FAULT_CONTROL: this.#control,
      TIDEMARK_FAULT_LOG: this.#log ?? '',
    };
  }

  /** From now on; `{}` for nothing. */
  fail({ write, sync, open, names }: Failure): void {
    const letter = (error: keyof typeof letters | undefined) => (error ? letters[error] : '-');
    const control = openSync(this.#control, 'r+');
    writeSync(control, [write, sync, open, names].map(letter).join(''), 0);
    closeSync(control);
  }

  /** Bytes recorded so far: a place in the record. */
  get recordedBytes(): number {
    return this.#log ? statSync(this.#log).size : 0;
  }

  /** What was done to the files, in order. */
  recorded(): FileOperation[] {
    return this.#log ? operationsIn(readFileSync(this.#log)) : [];
  }
}

const kinds = [
  '',
  'create',
  'write',
  'truncate',
  'sync',
  'unlink',
  'rename',
  'mkdir',
  'link',
] as const;

/**
 * `end` is the place in the record behind it. `offset` is the new size of a truncation; `data` the
 * new path of a rename or a link.
 */
export type FileOperation = {
  kind: (typeof kinds)[number];
  path: string;
  offset: number;
  data: Buffer;
  end: number;
};

const headBytes = 24;

function operationsIn(log: Buffer): FileOperation[] {
  const operations: FileOperation[] = [];
  for (let at = 0; at + headBytes <= log.length;) {
    const pathEnd = at + headBytes + log.readUInt32LE(at + 4);
    const end = pathEnd + Number(log.readBigUInt64LE(at + 16));
    // The process was killed while it appended this one.
    if (end > log.length) break;
    const kind = kinds[log.readUInt32LE(at)] ?? '';
    operations.push({
      kind,
      path: log.toString('utf8', at + headBytes, pathEnd),
      offset: Number(log.readBigUInt64LE(at + 8)),
      data: log.subarray(pathEnd, end),
      end,
    });
    at = end;
  }
  return operations;
}
