/** One lane: its state, its numbers, its last error, and its chart. */
/** @import { LaneStatus } from '../../contracts/status.ts' */
/** @import { HistoryView } from '../../contracts/console-answers.ts' */
/** @import { LaneName } from '../feed/history.js' */
import { Chart } from '../parts/chart.js';
import { el, pill, setPill, setText } from '../parts/dom.js';
import { age, count, rate, time } from '../parts/format.js';
import { chartOf, rates } from '../feed/history.js';

export class LaneCard {
  /** @param {LaneName} name @param {boolean} hasHistory */
  constructor(name, hasHistory) {
    this.name = name;
    this.pill = pill();
    this.error = el('p', { class: 'wrong' });
    this.error.hidden = true;
    /** @type {Map<string, HTMLElement>} */
    this.values = new Map();
    this.chart = hasHistory ? new Chart(`${name} lane, head and mark over time`) : null;
    const rows = [
      'Pending',
      'Oldest pending',
      ...(hasHistory ? ['Accepting', 'Draining'] : []),
      'Dead letters',
      'Mark (Seq)',
      'Head (Seq)',
      'Carrier',
      'Bootstrapped',
    ];
    const list = el(
      'dl',
      {},
      ...rows.map((row) => {
        const value = el('dd', { 'data-value': row }, '-');
        this.values.set(row, value);
        return el('div', {}, el('dt', {}, row), value);
      }),
    );
    const heading = `lane-${name.toLowerCase()}`;
    this.node = el(
      'section',
      { class: 'card lane', 'aria-labelledby': heading },
      el('h2', { id: heading }, `${name} lane `),
      this.pill,
      this.error,
      list,
      ...(this.chart ? [this.chart.node] : []),
    );
  }

  /** @param {LaneStatus} lane */
  update(lane) {
    setPill(this.pill, lane.State);
    setText(this.error, lane.LastError ? `Last error: ${lane.LastError}` : '');
    this.error.hidden = !lane.LastError;
    this.#set('Pending', count(lane.Pending));
    this.#set('Oldest pending', age(lane.OldestPendingMs));
    this.#set('Dead letters', count(lane.DeadLetters));
    this.#set('Mark (Seq)', String(lane.Seq.Mark));
    this.#set('Head (Seq)', String(lane.Seq.Head));
    this.#set('Carrier', lane.Carrier ?? 'none');
    this.#set('Bootstrapped', lane.BootstrappedAt ? time(lane.BootstrappedAt) : 'not yet');
  }

  /** @param {HistoryView} history @param {number} nowMs by the worker's clock */
  updateHistory(history, nowMs) {
    const now = rates(history, this.name, nowMs);
    this.#set('Accepting', rate(now?.accept ?? null));
    this.#set('Draining', rate(now?.drain ?? null));
    this.chart?.update(chartOf(history, this.name, nowMs));
  }

  /** @param {string} row @param {string} text */
  #set(row, text) {
    const node = this.values.get(row);
    if (node) setText(node, text);
  }
}
