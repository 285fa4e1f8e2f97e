/**
 * Writes a JSON file for people that follows what the store says. It writes a new file, syncs it,
 * renames it and syncs the folder, so a reader sees a whole file, the old one or the new one.
 */
import { type FileHandle, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

export class Mirror {
  readonly #path: string;
  readonly #produce: () => object;
  #last = '';
  #writing: Promise<void> | null = null;
  #isDirty = false;

  /** @param produce returns the content at the moment of writing */
  constructor(path: string, produce: () => object) {
    this.#path = path;
    this.#produce = produce;
  }

  /**
   * Writes the present content. Calls that come during a write are served by one more write.
   * Rejects with the file system's error.
   */
  async write(): Promise<void> {
    this.#isDirty = true;
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = null;
    });
    await this.#writing;
  }

  async #writeAll(): Promise<void> {
    while (this.#isDirty) {
      this.#isDirty = false;
      const content = this.#produce();
      const { WrittenAt: _, ...facts } = content as { WrittenAt?: unknown };
      const text = JSON.stringify(facts);
      if (text === this.#last) continue;
      await writeAtomically(this.#path, `${JSON.stringify(content, null, 2)}\n`);
      this.#last = text;
    }
  }
}

async function withFile(
  path: string,
  flags: string,
  use: (file: FileHandle) => Promise<void>,
): Promise<void> {
  const file = await open(path, flags, 0o600);
  try {
    await use(file);
  } finally {
    await file.close();
  }
}

async function writeAtomically(path: string, text: string): Promise<void> {
  const beside = `${path}.tmp`;
  await withFile(beside, 'w', async (file) => {
    await file.writeFile(text);
    await file.sync();
  });
  await rename(beside, path);
  await withFile(dirname(path), 'r', (folder) => folder.sync());
}
