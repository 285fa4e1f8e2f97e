/**
 * Where the writes of a bridge wait, as its status says it, and the opening of the file: at once,
 * or when the process before has let go of it.
 */
import { systemStamps } from '../../contracts/client/stamps.ts';
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import type { Lane } from '../../contracts/subjects.ts';
import { HubFile, type LaneFile } from './hub-file.ts';

/**
 * `open`: in the file, which a process that dies leaves behind. `locked`: another process has it
 * still. `memory`: nowhere but in this process, for that reason.
 */
export type FileStatus = {
  State: 'open' | 'locked' | 'memory';
  Path: string | null;
  Bytes: number;
  BytesMax: number;
  Driver: string | null;
  Reason: string | null;
};

type Settings = { file: string | null; isMemoryMeant: boolean; FileBytesMax: number };

const noFolder =
  'the hub names no data folder (UltravisorFileStorePath or DataPath), and no File is set';

export class WaitingFile {
  readonly #lane: Lane;
  readonly #settings: Settings;
  readonly #warn: (line: string) => void;
  readonly #begin: (file: LaneFile | null) => void;
  #state: FileStatus['State'] = 'locked';
  #opened: HubFile | null = null;
  #reason: string | null = null;
  #isEnded = false;

  /** @param begin called once: with the file, or without one */
  constructor(
    lane: Lane,
    settings: Settings,
    warn: (line: string) => void,
    begin: (file: LaneFile | null) => void,
  ) {
    this.#lane = lane;
    this.#settings = settings;
    this.#warn = warn;
    this.#begin = begin;
    if (settings.isMemoryMeant) this.#useMemory('File is false');
    else if (settings.file === null) this.#makeDo(noFolder);
    else if (!this.#tryFile(settings.file)) void this.#await(settings.file);
  }

  get status(): FileStatus {
    return {
      State: this.#state,
      Path: this.#settings.file,
      Bytes: this.#opened?.bytes ?? 0,
      BytesMax: this.#opened?.bytesMax ?? this.#settings.FileBytesMax,
      Driver: this.#opened?.driver ?? null,
      Reason: this.#reason,
    };
  }

  /** Where writes wait, in words. */
  get where(): string {
    return this.#state === 'open' ? `in ${this.#settings.file}` : "in the hub's memory";
  }

  end(): void {
    this.#isEnded = true;
    if (this.#state === 'open') this.#useMemory('the bridge is closed');
  }

  /** False while another has it. */
  #tryFile(path: string): boolean {
    try {
      const lane = HubFile.lane(this.#lane, path, this.#settings.FileBytesMax, (aside) =>
        this.#warn(`${path} is damaged, it was put aside as ${aside} and a new one is begun`),
      );
      this.#state = 'open';
      this.#reason = null;
      this.#opened = lane.file;
      this.#begin(lane);
      return true;
    } catch (error) {
      this.#reason = messageOf(error);
      if (error instanceof TidemarkError && error.code === 'LOCK_HELD') return false;
      this.#makeDo(this.#reason);
      return true;
    }
  }

  /** A hub is started again before the one before has ended. */
  async #await(path: string): Promise<void> {
    const endMs = systemStamps.nowMs() + limits.dropinLockMs;
    while (systemStamps.nowMs() < endMs) {
      await systemStamps.sleep(limits.dropinLockProbeMs);
      if (this.#isEnded || this.#tryFile(path)) return;
    }
    this.#makeDo(this.#reason ?? '');
  }

  #makeDo(reason: string): void {
    this.#warn(`writes that wait are in memory only, and lost when the hub dies: ${reason}`);
    this.#useMemory(reason);
  }

  #useMemory(reason: string): void {
    this.#state = 'memory';
    this.#reason = reason;
    this.#opened = null;
    this.#begin(null);
  }
}
