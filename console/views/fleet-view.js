/** All workers on the bus, one row each; a large fleet is narrowed by name. */
/** @import { FleetRow } from '../../contracts/console-answers.ts' */
import { el, pill, setPill, setProps, setText } from '../parts/dom.js';
import { age, count, time } from '../parts/format.js';

/** Rows drawn at once: what a person can look through. */
const rowsMax = 200;
const columns = ['Hub', 'Queue', 'Manifest', 'Pending', 'Oldest', 'Dead letters', 'Seen'];

/**
 * @typedef {{ node: HTMLElement, link: HTMLElement, queue: HTMLElement, manifest: HTMLElement,
 * cells: HTMLElement[] }} Row
 */

export class FleetView {
  constructor() {
    /** @type {readonly FleetRow[]} */
    this.fleet = [];
    /** @type {Map<string, Row>} */
    this.rows = new Map();
    this.filter = el('input', {
      id: 'fleet-filter',
      type: 'search',
      autocomplete: 'off',
      spellcheck: 'false',
      input: () => this.draw(),
    });
    this.summary = el('p', { role: 'status', class: 'done' }, 'Asking who is there.');
    this.body = el('tbody', { role: 'rowgroup' });
    // Roles said aloud, for on a narrow screen rows are no longer laid out as a table.
    const head = el(
      'thead',
      { role: 'rowgroup' },
      el(
        'tr',
        { role: 'row' },
        ...columns.map((name) => el('th', { scope: 'col', role: 'columnheader' }, name)),
      ),
    );
    this.node = el(
      'section',
      { class: 'card', 'aria-labelledby': 'fleet' },
      el('h1', { id: 'fleet' }, 'Fleet'),
      el(
        'div',
        { class: 'line' },
        el('label', { for: 'fleet-filter' }, 'Show hubs named'),
        this.filter,
      ),
      this.summary,
      el('table', { class: 'fleet', role: 'table', 'aria-labelledby': 'fleet' }, head, this.body),
    );
  }

  /** @param {readonly FleetRow[]} fleet */
  update(fleet) {
    this.fleet = fleet;
    this.draw();
  }

  draw() {
    const wanted = this.filter.value.trim().toLowerCase();
    const matching = this.fleet.filter((row) => row.HubID.toLowerCase().includes(wanted));
    const shown = matching.slice(0, rowsMax);
    const away = this.fleet.filter((row) => row.IsAway).length;
    const twice = this.fleet.filter((row) => row.Instances > 1).map((row) => row.HubID);
    const awayText = away > 0 ? `, ${count(away)} away` : '';
    const cutText =
      matching.length > shown.length
        ? `; the first ${rowsMax} of ${count(matching.length)} are shown`
        : '';
    setText(
      this.summary,
      `${count(this.fleet.length)} workers${awayText}${cutText}.` +
        (twice.length > 0
          ? ` More than one process answers for ${twice.slice(0, 5).join(', ')}: stop the other.`
          : ''),
    );
    const names = new Set(shown.map((row) => row.HubID));
    for (const [name, row] of this.rows) {
      if (names.has(name)) continue;
      row.node.remove();
      this.rows.delete(name);
    }
    /** @type {HTMLElement | null} */
    let before = null;
    for (const facts of shown) {
      const row = this.rows.get(facts.HubID) ?? this.make(facts);
      this.fill(row, facts);
      // Moved only when it is not where it belongs, so that the keyboard stays where it is.
      /** @type {ChildNode | null} */
      const next = before ? before.nextSibling : this.body.firstChild;
      if (row.node !== next) this.body.insertBefore(row.node, next);
      before = row.node;
    }
  }

  /** @param {FleetRow} facts @returns {Row} */
  make({ HubID, IsSelf }) {
    const link = el('a', { href: IsSelf ? '#/' : `#/fleet/${HubID}` }, HubID);
    const [queue, manifest] = [pill(), pill()];
    const cells = columns.slice(3).map((name) => el('td', { role: 'cell', 'data-label': name }));
    const node = el(
      'tr',
      { role: 'row' },
      el('th', { scope: 'row', role: 'rowheader' }, link, IsSelf ? ' (this one)' : ''),
      el('td', { role: 'cell', 'data-label': 'Queue' }, queue),
      el('td', { role: 'cell', 'data-label': 'Manifest' }, manifest),
      ...cells,
    );
    const row = { node, link, queue, manifest, cells };
    this.rows.set(HubID, row);
    return row;
  }

  /** @param {Row} row @param {FleetRow} facts */
  fill(row, { Status: status, IsAway, SeenAt, Reason }) {
    setProps(row.node, { class: IsAway ? 'away' : '' });
    setPill(row.queue, IsAway ? 'away' : (status?.Queue.State ?? 'unknown'));
    setPill(row.manifest, IsAway ? 'away' : (status?.Manifest.State ?? 'unknown'));
    const lanes = status ? [status.Queue, status.Manifest] : [];
    const texts = status
      ? [
          count(lanes.reduce((sum, lane) => sum + lane.Pending, 0)),
          age(Math.max(...lanes.map((lane) => lane.OldestPendingMs))),
          count(lanes.reduce((sum, lane) => sum + lane.DeadLetters, 0)),
        ]
      : ['-', '-', '-'];
    const seen = IsAway ? `away, last seen ${time(SeenAt)}` : (Reason ?? time(SeenAt));
    [...texts, seen].forEach((text, n) => {
      if (row.cells[n]) setText(row.cells[n], text);
    });
  }
}
