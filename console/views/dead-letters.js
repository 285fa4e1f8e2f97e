/** Dead letters in pages: why each was refused, with buttons to retry or drop it. */
/** @import { DeadLetterPage, DeadLetterView } from '../../contracts/console-answers.ts' */
import { call } from '../feed/api.js';
import { confirm } from '../parts/dialogs.js';
import { button, el, setText } from '../parts/dom.js';
import { count, time } from '../parts/format.js';

const pageRows = 25;

/** @param {DeadLetterView} one */
const nameOf = (one) => (one.Seq === null ? `message ${one.ID}` : `Seq ${one.Seq}`);

export class DeadLetters {
  constructor() {
    /**
     * Where each earlier page began.
     * @type {string[]}
     */
    this.before = [];
    this.after = '0';
    /** @type {string | null} */
    this.next = null;
    this.known = -1;
    this.loading = false;
    this.summary = el('p', { role: 'status', class: 'done' }, 'Loading.');
    this.said = el('p', { role: 'status', class: 'done' });
    this.list = el('ul', { class: 'rows' });
    this.newer = button('Previous page', () => this.back());
    this.older = button('Next page', () => this.forth());
    this.node = el(
      'section',
      { class: 'card wide', 'aria-labelledby': 'dead-letters' },
      el('h2', { id: 'dead-letters', tabindex: '-1' }, 'Dead letters'),
      this.summary,
      this.said,
      this.list,
      el('p', { class: 'actions' }, this.newer, this.older),
    );
  }

  /**
   * Reloads when their number changed.
   * @param {number} dead
   */
  update(dead) {
    if (dead === this.known || this.loading) return;
    this.known = dead;
    void this.load();
  }

  async load() {
    this.loading = true;
    try {
      /** @type {DeadLetterPage} */
      const page = await call(
        `api/dead-letters?limit=${pageRows}&after=${encodeURIComponent(this.after)}`,
      );
      // The only row of the last page may be gone.
      if (page.DeadLetters.length === 0 && this.before.length > 0) return this.back();
      this.next = page.Next;
      this.list.replaceChildren(...page.DeadLetters.map((one) => this.row(one)));
      const first = this.before.length * pageRows + 1;
      setText(
        this.summary,
        page.Total === 0
          ? 'There are none.'
          : `${count(first)} to ${count(first + page.DeadLetters.length - 1)} of ${count(page.Total)}, oldest first.`,
      );
      this.newer.disabled = this.before.length === 0;
      this.older.disabled = page.Next === null;
    } catch (error) {
      this.known = -1;
      setText(this.summary, `They could not be read: ${/** @type {Error} */ (error).message}.`);
    } finally {
      this.loading = false;
    }
  }

  forth() {
    if (this.next === null) return;
    this.before.push(this.after);
    this.after = this.next;
    void this.load();
  }

  back() {
    this.after = this.before.pop() ?? '0';
    void this.load();
  }

  /** @param {DeadLetterView} one */
  row(one) {
    const name = nameOf(one);
    const facts = [
      one.Action,
      one.Key && `key ${one.Key}`,
      one.Lane && `${one.Lane} lane`,
      `since ${time(one.At)}`,
      one.Parked > 0 && `waiting behind it: ${count(one.Parked)}`,
    ]
      .filter(Boolean)
      .join(', ');
    return el(
      'li',
      {},
      el(
        'div',
        {},
        el('strong', {}, name),
        ` ${facts}`,
        el('p', { class: 'reason' }, one.Reason),
        ...(one.EventGUID ? [el('code', {}, one.EventGUID)] : []),
      ),
      el(
        'p',
        { class: 'actions' },
        ...(one.Seq === null
          ? []
          : [button('Retry', () => this.act(one, 'retry'), { 'aria-label': `Retry ${name}` })]),
        button('Drop', () => this.drop(one), { 'aria-label': `Drop ${name}`, class: 'danger' }),
      ),
    );
  }

  /** @param {DeadLetterView} one */
  async drop(one) {
    const behind =
      one.Parked > 0 ? ` What waits behind it (${count(one.Parked)}) is then delivered.` : '';
    if (
      await confirm(
        `Drop ${nameOf(one)}?`,
        `The database will never get this write.${behind}`,
        'Drop it',
      )
    )
      await this.act(one, 'drop');
  }

  /** @param {DeadLetterView} one @param {'retry' | 'drop'} verb */
  async act(one, verb) {
    try {
      await call(`api/dead-letters/${one.Seq ?? `id-${one.ID}`}/${verb}`, { method: 'POST' });
      setText(
        this.said,
        verb === 'retry' ? `${nameOf(one)} is sent again.` : `${nameOf(one)} was dropped.`,
      );
    } catch (error) {
      setText(this.said, `${nameOf(one)}: ${/** @type {Error} */ (error).message}.`);
    }
    await this.load();
    // The focused button is gone.
    this.node.querySelector('h2')?.focus();
  }
}
