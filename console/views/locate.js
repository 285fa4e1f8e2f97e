/**
 * "Where is my write?": finds a write by its EventGUID, or all writes of a WorkItemHash or RunHash,
 * with the steps each has taken.
 */
/** @import { KeyLocations } from '../../contracts/console-answers.ts' */
/** @import { Location } from '../../contracts/status.ts' */
import { call } from '../feed/api.js';
import { el, pill, setText } from '../parts/dom.js';
import { count, isGuid, time } from '../parts/format.js';

/**
 * The step after "accepted", by state.
 * @param {Location} one
 * @returns {[title: string, at: string]}
 */
export function stepAfter(one) {
  switch (one.State) {
    case 'applied':
      return [
        'Applied by the database',
        one.AppliedAt ? time(one.AppliedAt) : 'when is no longer kept',
      ];
    case 'accepted':
      return ['Waits: no database is assigned', 'now'];
    case 'buffered':
      return [one.Reason ? `Buffered: ${one.Reason}` : 'Buffered: waits to be delivered', 'now'];
    default:
      return [`Kept back (${one.State}): ${one.Reason ?? 'no reason given'}`, 'now'];
  }
}

/** @param {Location} one */
function entry(one) {
  const [title, at] = stepAfter(one);
  return el(
    'li',
    {},
    el(
      'div',
      {},
      el('strong', {}, `Seq ${one.Seq}`),
      ' ',
      pill(one.State),
      ` ${one.Action ?? ''}, key ${one.Key ?? ''}, ${one.Lane ?? ''} lane`,
      el('br'),
      el('code', {}, one.EventGUID),
    ),
    el(
      'ol',
      { class: 'timeline' },
      el(
        'li',
        {},
        el('span', {}, 'Accepted, on disk'),
        el('time', { datetime: one.AcceptedAt ?? '' }, time(one.AcceptedAt)),
      ),
      el('li', {}, el('span', {}, title), el('span', {}, at)),
    ),
  );
}

export class Locate {
  constructor() {
    /** The search whose writes are not all settled. */
    this.open = '';
    this.asking = false;
    this.input = el('input', {
      id: 'locate',
      type: 'search',
      autocomplete: 'off',
      spellcheck: 'false',
    });
    this.said = el('p', { role: 'status', class: 'done' });
    this.list = el('ul', { class: 'rows' });
    const form = el(
      'form',
      {
        class: 'line',
        submit: (event) => {
          event.preventDefault();
          void this.find(this.input.value.trim());
        },
      },
      el('label', { for: 'locate' }, 'EventGUID, WorkItemHash or RunHash'),
      this.input,
      el('button', { type: 'submit', class: 'main' }, 'Find'),
    );
    this.node = el(
      'section',
      { class: 'card', 'aria-labelledby': 'locate-title' },
      el('h2', { id: 'locate-title' }, 'Where is my write?'),
      form,
      this.said,
      this.list,
    );
  }

  /** Repeats the search while its writes are in transit. */
  update() {
    if (this.open !== '' && !this.asking) void this.find(this.open);
  }

  /** @param {string} text */
  async find(text) {
    if (text === '') return;
    this.asking = true;
    try {
      const entries = isGuid(text) ? await this.ofGuid(text) : await this.ofKey(text);
      this.list.replaceChildren(...entries.map(entry));
      this.open = entries.some((one) => one.State === 'accepted' || one.State === 'buffered')
        ? text
        : '';
    } catch (error) {
      setText(this.said, `${/** @type {Error} */ (error).message}.`);
    } finally {
      this.asking = false;
    }
  }

  /** @param {string} guid @returns {Promise<Location[]>} */
  async ofGuid(guid) {
    /** @type {Location} */
    const found = await call(`api/locate/${guid}`, { isMissOk: true });
    const isKnown = found.State !== undefined && found.State !== 'unknown';
    setText(
      this.said,
      isKnown ? 'Found.' : 'This worker has never accepted a write with this EventGUID.',
    );
    return isKnown ? [found] : [];
  }

  /** @param {string} key @returns {Promise<Location[]>} */
  async ofKey(key) {
    /** @type {KeyLocations} */
    const {
      Entries = [],
      Scanned = 0,
      IsComplete = false,
    } = await call(`api/locate?key=${encodeURIComponent(key)}`, { isMissOk: true });
    const where = IsComplete
      ? 'The whole journal was searched.'
      : `The newest ${count(Scanned)} entries of the journal were searched; older writes ` +
        'of this key may be missing here.';
    setText(
      this.said,
      Entries.length === 0
        ? `No write of this key was found. ${where}`
        : `${count(Entries.length)} writes of this key, newest first. ${where}`,
    );
    return Entries;
  }
}
