/** A worker of another hub, as it told ours: to look at only. */
/** @import { State } from './worker-view.js' */
import { el, setProps, setText } from '../parts/dom.js';
import { pageAt, time } from '../parts/format.js';
import { WorkerView } from './worker-view.js';

export class ForeignView {
  /** @param {() => State} state @param {string} hub */
  constructor(state, hub) {
    this.state = state;
    this.hub = hub;
    this.view = new WorkerView(state, false);
    this.about = el('p', {}, `Asking for hub ${hub}.`);
    this.link = el('a', { rel: 'noopener noreferrer' });
    this.where = el('p', {}, 'To change something, use ', this.link, '.');
    this.where.hidden = true;
    this.node = el(
      'div',
      {},
      el(
        'div',
        { class: 'card' },
        el('p', {}, el('a', { href: '#/fleet' }, 'All workers')),
        el('h1', {}, `Hub ${hub}`),
        this.about,
        this.where,
      ),
      this.view.node,
    );
    // One first heading a page: the hub's.
    this.view.node.hidden = true;
  }

  update() {
    const row = this.state().fleet.find((one) => one.HubID === this.hub);
    if (!row) return setText(this.about, `No worker of hub ${this.hub} is known.`);
    setText(
      this.about,
      row.IsAway
        ? `Away: ${row.Reason ?? 'silent'}. Below is what it said ${time(row.SeenAt)}.`
        : `As it said ${time(row.SeenAt)}.${row.Reason ? ` ${row.Reason}.` : ''}`,
    );
    const page = pageAt(row.Console);
    this.where.hidden = page === null;
    if (page) {
      setProps(this.link, { href: row.Console });
      // Its host in view, for anybody on the bus may say that he is a worker.
      setText(this.link, `its own console at ${page.host}`);
    }
    this.view.node.hidden = row.Status === null;
    this.view.update(row.Status);
  }
}
