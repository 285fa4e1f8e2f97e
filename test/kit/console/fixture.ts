/**
 * The console of a real worker in a real browser: the stack, one browser, and what its pages are
 * asked.
 */
import { readFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import type { Page } from 'playwright-core';
import { type StackOptions, Stack } from '../processes/stack.ts';
import { TestBrowser } from '../servers/browser.ts';
import { until } from '../until.ts';

export class ConsoleRig implements AsyncDisposable {
  readonly stack: Stack;
  readonly browser: TestBrowser;

  private constructor(stack: Stack, browser: TestBrowser) {
    this.stack = stack;
    this.browser = browser;
  }

  static async start(options: StackOptions = {}): Promise<ConsoleRig> {
    const stack = await Stack.start(options);
    try {
      return new ConsoleRig(stack, await TestBrowser.start());
    } catch (error) {
      await stack[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** A page of the console; with the token unless told otherwise, as an operator has it. */
  async open(
    path = '',
    options: { token?: string | null } & Parameters<TestBrowser['open']>[1] = {},
  ): Promise<Page> {
    const { token = this.token(), ...rest } = options;
    const page = await this.browser.open(`${this.stack.httpUrl}/livez`, rest);
    if (token !== null)
      await page.evaluate((given) => sessionStorage.setItem('tidemark-token', given), token);
    await page.goto(`${this.stack.httpUrl}/${path}`);
    return page;
  }

  token(): string {
    return tokenAt(this.stack);
  }

  /**
   * The database refuses this work item from now on, with a reason of its own; the returned
   * function ends it.
   */
  refuse(hash: string): () => void {
    const sql = (text: string) => {
      const db = new Database(this.stack.backendPath, { timeout: 10_000 });
      db.exec(text);
      db.close();
    };
    sql(
      'create trigger no_more before insert on UVQueueWorkItem when new.WorkItemHash = ' +
        `'${hash}' begin select raise(abort, 'not this one'); end`,
    );
    return () => sql('drop trigger no_more');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.browser[Symbol.asyncDispose]();
    await this.stack[Symbol.asyncDispose]();
  }
}

function tokenAt(stack: Stack): string {
  return readFileSync(stack.workerFile('token'), 'utf8').trim();
}

/** Waits until the text of an element is so; the error says what it was. */
export async function shows(
  page: Page,
  selector: string,
  wanted: RegExp | string,
  deadlineMs = 30_000,
): Promise<void> {
  await until(
    `${selector} shows ${String(wanted)}`,
    async () => {
      const text = (
        (await page.locator(selector).first().textContent({ timeout: 1_000 })) ?? ''
      ).trim();
      if (typeof wanted === 'string' ? text === wanted : wanted.test(text)) return true;
      throw new Error(`it shows "${text}"`);
    },
    { deadlineMs },
  );
}

/** The value of a row of a lane's card, as a number. */
export async function laneNumber(
  page: Page,
  lane: 'queue' | 'manifest',
  row: string,
): Promise<number> {
  const text = await page
    .locator(`section[aria-labelledby="lane-${lane}"] [data-value="${row}"]`)
    .textContent();
  return Number((text ?? '').replaceAll(',', ''));
}
