/**
 * Where the writes of a bridge are from the call until the worker has them: in the hub's file, and
 * so many of the oldest in memory, from where they leave in order.
 */
import type { StampedWrite } from '../../contracts/client.ts';
import { systemStamps } from '../../contracts/client/stamps.ts';
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import type { JsonObject } from '../../contracts/body/json-value.ts';
import { limits } from '../../contracts/limits.ts';
import { Answered } from './answered.ts';
import type { LaneFile, Waiting } from './hub-file.ts';
import { delayMsOf, isTransient } from './trying.ts';
import { type Caller, type Held, Window } from './window.ts';

export type OutboxOptions = {
  send: (action: StampedWrite['action'], envelope: JsonObject) => Promise<JsonObject>;
  /** How long a caller waits for an answer. */
  giveUpMs: number;
  /** Of what is kept in memory where there is no file. */
  writesMax: number;
  charsMax: number;
  /** Something that nobody is told by an answer. */
  warn: (message: string) => void;
};

export class Outbox {
  readonly #options: OutboxOptions;
  readonly #window: Window;
  /** Callers of writes that are in the file alone. */
  readonly #callers = new Map<number, Caller>();
  #file: LaneFile | null = null;
  /** Writes behind the window, and the last id before them. */
  #behind = 0;
  #lastId = 0;
  /** The next of them is so large that it comes in alone. */
  #isNextLarge = false;
  /** Ids of writes that no file has; below those of any file. */
  #unfiledId = 0;
  #answered: Answered | null = null;
  #running = 0;
  #isReady = false;
  #isOpen = false;
  #ended: string | null = null;
  #warnedMs = 0;

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#window = new Window(options);
  }

  /** Writes called and not answered. */
  get unanswered(): number {
    return this.#window.size + this.#behind;
  }

  /**
   * From now on writes may leave: first what the file has, then what was called meanwhile.
   * @param file none: what waits is in memory only
   */
  begin(file: LaneFile | null): void {
    if (this.#isReady || this.#ended !== null) return file?.close();
    this.#isReady = true;
    if (file) this.#useFile(file);
    this.#leave();
  }

  /**
   * Keeps a write until it is answered; when this returns, it is in the file.
   * @returns the worker's answer; with many before it, that it waits in the file
   * @throws TidemarkError OVERLOADED without room; as the worker refuses it; UNAVAILABLE when nobody
   * answered for too long
   */
  keep(write: StampedWrite): Promise<JsonObject> {
    if (this.#ended !== null) return Promise.reject(new TidemarkError('CLOSED', this.#ended));
    let filedId: number | null;
    try {
      filedId = this.#filed(write);
    } catch (error) {
      return Promise.reject(error);
    }
    if (this.#behind === 0 && this.#window.hasRoom(write.text))
      return new Promise((resolve, reject) => {
        const caller = { sinceMs: systemStamps.nowMs(), resolve, reject };
        this.#hold({ ...write, id: filedId ?? --this.#unfiledId }, caller);
        this.#leave();
      });
    if (filedId === null) return Promise.reject(this.#tooMuch());
    if (this.#behind === 0) this.#file?.index(true);
    this.#behind += 1;
    return Promise.resolve({
      Available: true,
      Success: true,
      EventGUID: write.eventGuid,
      Waiting: true,
    });
  }

  /** The worker answers. */
  open(): void {
    this.#isOpen = true;
    this.#leave();
  }

  /** It does not: nothing more leaves. */
  shut(): void {
    this.#isOpen = false;
  }

  /** Answers callers who waited too long; to be called now and then. What is in the file stays. */
  expire(reason: string): void {
    const untilMs = systemStamps.nowMs() - this.#options.giveUpMs;
    for (const held of this.#window.all())
      if (held.caller && !held.isLeaving && held.caller.sinceMs <= untilMs)
        this.#dismiss(held, reason);
    for (const [id, caller] of this.#callers) {
      if (caller.sinceMs > untilMs) continue;
      this.#callers.delete(id);
      caller.reject(stays(reason));
    }
  }

  /** Ends it for good: what waits in the file is sent by the next process. */
  end(reason: string): void {
    this.shut();
    this.#ended ??= reason;
    for (const held of this.#window.all()) this.#dismiss(held, reason);
    for (const caller of this.#callers.values()) caller.reject(stays(reason));
    this.#callers.clear();
    this.#answered?.forget();
    this.#answered = null;
    this.#file?.close();
    this.#file = null;
  }

  /** What waits of a key, or of all, oldest first; at most so many. */
  waiting(key?: string): Waiting[] {
    const max = limits.dropinFoldWrites;
    const here = key === undefined ? this.#window.all() : this.#window.ofKey(key);
    const rows: Waiting[] = [];
    for (const held of here) {
      if (rows.length >= max) return rows;
      rows.push(held);
    }
    if (this.#behind === 0 || !this.#file) return rows;
    const filed =
      key === undefined
        ? this.#file.behind(this.#lastId, max - rows.length)
        : this.#file.ofKey(key, max).filter(({ id }) => id > this.#lastId);
    return [...rows, ...filed];
  }

  #useFile(file: LaneFile): void {
    const early = [...this.#window.all()];
    for (const held of early) this.#window.remove(held);
    this.#window.narrow({
      writesMax: limits.dropinWindowWrites,
      charsMax: limits.dropinWindowChars,
    });
    this.#file = file;
    this.#answered = new Answered(file, (error) =>
      this.#warnRarely(`answered writes stay in the hub's file: ${messageOf(error)}`),
    );
    this.#behind = file.count;
    for (const held of early) {
      try {
        this.#callers.set(file.add(held), held.caller as Caller);
        this.#behind += 1;
      } catch (error) {
        held.caller?.reject(error);
      }
    }
    if (this.#behind > 0) file.index(true);
  }

  /** Null when only memory has it. */
  #filed(write: StampedWrite): number | null {
    if (!this.#file) return null;
    try {
      return this.#file.add(write);
    } catch (error) {
      // Behind what waits in the file nothing may overtake.
      if (this.#behind > 0)
        throw error instanceof TidemarkError
          ? error
          : new TidemarkError('STORAGE_FAILED', messageOf(error), { cause: error });
      this.#warnRarely(`writes are kept in memory only: ${messageOf(error)}`);
      return null;
    }
  }

  #tooMuch(): TidemarkError {
    return new TidemarkError(
      'OVERLOADED',
      `${this.#window.size} writes (${this.#window.chars} characters) wait in this hub already; ` +
        'nobody takes them, and there is no room for more',
    );
  }

  #hold(write: Waiting, caller: Caller | null): void {
    const { id, key, action, text } = write;
    if (id > 0) this.#lastId = id;
    const isInFile = id > 0;
    this.#window.add({ id, key, action, text, caller, isInFile, isLeaving: false, tries: 0 });
  }

  #leave(): void {
    while (this.#isReady && this.#isOpen) {
      if (this.#behind > 0 && this.#window.isLow) this.#fetch();
      if (this.#running >= limits.dropinInFlightMax) return;
      const held = this.#window.next();
      if (!held) return;
      this.#running += 1;
      held.isLeaving = true;
      void this.#try(held);
    }
  }

  /** Brings writes of the file into the window. */
  #fetch(): void {
    if (this.#isNextLarge && this.#window.size > 0) return;
    this.#isNextLarge = false;
    const rows = this.#file?.behind(this.#lastId, limits.dropinFetchWrites) ?? [];
    if (rows.length === 0) this.#behind = 0;
    for (const row of rows) {
      if (!this.#window.hasRoom(row.text)) {
        this.#isNextLarge = true;
        return;
      }
      this.#behind -= 1;
      this.#hold(row, this.#callers.get(row.id) ?? null);
      this.#callers.delete(row.id);
    }
    if (this.#behind === 0) this.#file?.index(false);
  }

  async #try(held: Held): Promise<void> {
    try {
      const reply = await this.#options.send(held.action, JSON.parse(held.text) as JsonObject);
      this.#done(held);
      held.caller?.resolve(reply);
    } catch (error) {
      if (isTransient(error)) this.#later(held, error);
      else this.#refused(held, error);
    } finally {
      held.isLeaving = false;
      this.#running -= 1;
      this.#leave();
    }
  }

  #later(held: Held, error: TidemarkError): void {
    void systemStamps.sleep(delayMsOf(held.tries++, error)).then(() => {
      this.#window.again(held);
      this.#leave();
    });
  }

  #refused(held: Held, error: unknown): void {
    this.#done(held);
    if (held.caller) held.caller.reject(error);
    else
      this.#options.warn(
        `the worker refused a write that waited in the hub's file, and it is gone: ` +
          `${held.action} of ${held.key}: ${messageOf(error)}`,
      );
  }

  /** Its caller waits no longer; what is in the file goes on. */
  #dismiss(held: Held, reason: string): void {
    const { caller } = held;
    held.caller = null;
    if (held.isInFile) return caller?.reject(stays(reason));
    this.#window.remove(held);
    caller?.reject(new TidemarkError('UNAVAILABLE', reason));
  }

  #done(held: Held): void {
    this.#window.remove(held);
    if (held.isInFile) this.#answered?.add(held.id);
  }

  #warnRarely(message: string): void {
    const nowMs = systemStamps.nowMs();
    if (nowMs - this.#warnedMs < limits.dropinNextWordMs) return;
    this.#warnedMs = nowMs;
    this.#options.warn(message);
  }
}

function stays(reason: string): TidemarkError {
  return new TidemarkError(
    'UNAVAILABLE',
    `${reason}; it stays in the hub's file, and is sent when somebody answers`,
  );
}
