/** A real Chromium without a window, one for each test file; installed first where it lacks. */
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { findServer } from './database-server.ts';

let binary: string | null = null;

/** Path of Debian's chromium. @throws Error with a line on how to get one */
export function chromiumBinary(): string {
  binary ??= findServer({ binary: 'chromium', folders: () => ['/usr/bin'], package: 'chromium' });
  return binary;
}

/** Longest wait for something to be seen, on a loaded machine. */
const seenMs = 30_000;

export class TestBrowser implements AsyncDisposable {
  readonly #browser: Browser;
  /** What pages complained of: errors thrown, and what the browser refused. */
  readonly complaints: string[] = [];

  private constructor(browser: Browser) {
    this.#browser = browser;
  }

  static async start(): Promise<TestBrowser> {
    return new TestBrowser(
      await chromium.launch({
        executablePath: chromiumBinary(),
        args: ['--no-sandbox', '--disable-dev-shm-usage'],
      }),
    );
  }

  /**
   * A page of its own, with its own session; what a worker that is away does to it is no complaint.
   */
  async open(url: string, options: BrowserContextOptions = {}): Promise<Page> {
    const context = await this.#browser.newContext({
      viewport: { width: 1280, height: 900 },
      ...options,
    });
    context.setDefaultTimeout(seenMs);
    const page = await context.newPage();
    page.on('pageerror', (error) => this.complaints.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error' && !/Failed to load resource|net::ERR_/.test(message.text()))
        this.complaints.push(message.text());
    });
    await page.goto(url);
    return page;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
  }
}
