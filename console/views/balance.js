/**
 * The live balance of writes (I10): everything accepted is applied, pending, a dead letter or
 * skipped, and nothing else.
 */
/** @import { WorkerStatus } from '../../contracts/status.ts' */
import { el, setProps, setText } from '../parts/dom.js';
import { count } from '../parts/format.js';

/**
 * @type {readonly ['Accepted', 'Applied', 'AlreadyPresent', 'Pending', 'DeadLettered', 'Skipped',
 * 'Difference']}
 */
const columns = [
  'Accepted',
  'Applied',
  'AlreadyPresent',
  'Pending',
  'DeadLettered',
  'Skipped',
  'Difference',
];
const names = {
  Accepted: 'accepted',
  Applied: 'applied',
  AlreadyPresent: 'already there',
  Pending: 'pending',
  DeadLettered: 'dead-lettered',
  Skipped: 'skipped',
  Difference: 'difference',
};

export class BalancePanel {
  constructor() {
    this.verdict = el('p', { class: 'verdict', role: 'status' });
    this.cells = columns.map((column) => ({ column, queue: el('td'), manifest: el('td') }));
    const table = el(
      'table',
      { class: 'balance' },
      el(
        'thead',
        {},
        el(
          'tr',
          {},
          el('th', { scope: 'col' }, 'Writes'),
          el('th', { scope: 'col' }, 'Queue'),
          el('th', { scope: 'col' }, 'Manifest'),
        ),
      ),
      el(
        'tbody',
        {},
        ...this.cells.map(({ column, queue, manifest }) =>
          el(
            'tr',
            { class: column === 'Difference' ? 'sum' : '' },
            el('th', { scope: 'row' }, names[column]),
            queue,
            manifest,
          ),
        ),
      ),
    );
    this.node = el(
      'section',
      { class: 'card', 'aria-labelledby': 'balance' },
      el('h2', { id: 'balance' }, 'Nothing lost'),
      this.verdict,
      table,
    );
  }

  /** @param {WorkerStatus['Balance']} balance */
  update(balance) {
    for (const { column, queue, manifest } of this.cells) {
      setText(queue, count(balance.queue[column]));
      setText(manifest, count(balance.manifest[column]));
    }
    const off = Math.abs(balance.queue.Difference) + Math.abs(balance.manifest.Difference);
    setProps(this.verdict, { 'data-ok': off === 0 ? 'yes' : 'no' });
    setText(
      this.verdict,
      off === 0
        ? 'Every accepted write is accounted for.'
        : `${count(off)} writes are not accounted for: run tidemark journal verify, and report it.`,
    );
  }
}
