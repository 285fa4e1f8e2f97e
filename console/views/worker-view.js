/** One worker: persistence, both lanes, the balance; for our own worker also search and actions. */
/** @import { FleetRow, HistoryView } from '../../contracts/console-answers.ts' */
/** @import { Presence } from '../../contracts/presence.ts' */
/** @import { WorkerStatus } from '../../contracts/status.ts' */
import { adviceOf } from './advice.js';
import { call } from '../feed/api.js';
import { BalancePanel } from './balance.js';
import { DeadLetters } from './dead-letters.js';
import { button, el, pill, setPill, setProps, setText } from '../parts/dom.js';
import { bytes, count, time, timeToFull } from '../parts/format.js';
import { LaneCard } from './lane-card.js';
import { Locate } from './locate.js';
import { pickPersistence } from './picker.js';

/**
 * The data of the page, shown by its views. `nowMs` is the worker's clock as last received;
 * `downMs` is since when the worker has been unreachable, null while it is reachable.
 * @typedef {{ status: WorkerStatus | null, beacons: readonly Presence[], history: HistoryView |
 * null, fleet: readonly FleetRow[], nowMs: number, downMs: number | null, heardMs: number }} State
 */

/** @param {WorkerStatus['Queue']} lane */
function assignmentOf(lane) {
  if (lane.AssignedBeaconID === null)
    return 'Assigned to no databeacon: writes are kept in the journal.';
  return (
    `Assigned to ${lane.AssignedBeaconID}, connection ${lane.IDBeaconConnection}, by ` +
    `${lane.AssignedBy === 'tag' ? "the beacon's tag" : 'an operator'} at ` +
    `${time(lane.AssignedAt)}.`
  );
}

export class WorkerView {
  /** @param {() => State} state @param {boolean} isOwn */
  constructor(state, isOwn) {
    this.state = state;
    this.pill = pill('');
    this.advice = el('p', { class: 'advice' });
    this.assignment = el('p');
    this.room = el('p');
    this.facts = el('p', { class: 'quiet' });
    this.said = el('p', { role: 'status', class: 'done' });
    this.pick = button('Assign', () => this.choose(), { class: 'main', disabled: true });
    this.pause = button('Pause delivery', () => this.setPaused(), { disabled: true });
    /**
     * The picker while it is open.
     * @type {import('./picker.js').Picker | null}
     */
    this.picker = null;
    this.lanes = { Queue: new LaneCard('Queue', isOwn), Manifest: new LaneCard('Manifest', isOwn) };
    this.balance = new BalancePanel();
    this.locate = isOwn ? new Locate() : null;
    this.dead = isOwn ? new DeadLetters() : null;
    const persistence = el(
      'section',
      { class: 'card wide', 'aria-labelledby': 'persistence' },
      el('h1', { id: 'persistence' }, 'Persistence: ', this.pill),
      this.advice,
      this.assignment,
      this.room,
      this.facts,
      ...(isOwn ? [el('p', { class: 'actions' }, this.pick, this.pause), this.said] : []),
    );
    this.node = el(
      'div',
      { class: 'grid-view' },
      persistence,
      this.lanes.Queue.node,
      this.lanes.Manifest.node,
      ...(this.locate ? [this.locate.node] : []),
      this.balance.node,
      ...(this.dead ? [this.dead.node] : []),
    );
    if (!isOwn) this.balance.node.classList.add('wide');
  }

  /** @param {WorkerStatus | null} status */
  update(status) {
    this.picker?.offer(this.state().beacons);
    if (!status) return;
    setPill(this.pill, status.State);
    setText(this.advice, adviceOf(status));
    setText(
      this.assignment,
      assignmentOf(status.Queue) +
        (status.Queue.IsPaused ? ' Delivery is paused: nothing goes out until it is resumed.' : ''),
    );
    const { Capacity: room } = status;
    setProps(this.room, { class: room.Refusing ? 'wrong' : '' });
    setText(
      this.room,
      room.Refusing
        ? `Writes are refused: ${room.Refusing}.`
        : `Time to full: ${timeToFull(room.TimeToFullSeconds)}. Journal ` +
            `${bytes(room.UsedBytes)} of ${bytes(room.BytesMax)}, ` +
            (`pending ${count(room.Pending)} of ` +
              `${count(room.PendingMax)}${room.FreeBytes === null ? '' : `, disk free ${bytes(room.FreeBytes)}`}.`),
    );
    setText(
      this.facts,
      `Tidemark ${status.Version}, started ${time(status.StartedAt)}; bus ` +
        `${status.Bus.Connected ? `connected to ${status.Bus.Server}` : 'away'}; store ` +
        `${status.Store}.`,
    );
    setText(this.pick, status.Queue.AssignedBeaconID === null ? 'Assign' : 'Change persistence');
    setText(this.pause, status.Queue.IsPaused ? 'Resume delivery' : 'Pause delivery');
    this.lanes.Queue.update(status.Queue);
    this.lanes.Manifest.update(status.Manifest);
    this.balance.update(status.Balance);
    this.dead?.update(status.Queue.DeadLetters + status.Manifest.DeadLetters);
    this.locate?.update();
  }

  /** Samples and heartbeats arrive separately from the status. */
  updateHistory() {
    const { history, nowMs } = this.state();
    if (!history) return;
    for (const lane of Object.values(this.lanes)) lane.updateHistory(history, nowMs);
  }

  /**
   * Disables the actions while the worker is unreachable.
   * @param {boolean} isThere
   */
  allow(isThere) {
    this.pick.disabled = !isThere;
    this.pause.disabled = !isThere;
  }

  async choose() {
    const { beacons, status } = this.state();
    if (status)
      await this.doing(() =>
        pickPersistence(beacons, status.Queue, (picker) => {
          this.picker = picker;
        }),
      );
    this.picker = null;
  }

  async setPaused() {
    const verb = this.state().status?.Queue.IsPaused ? 'resume' : 'pause';
    await this.doing(async () => {
      await call(`api/${verb}`, { method: 'POST' });
      return verb === 'pause'
        ? 'Delivery is paused; writes are accepted as before.'
        : 'Delivery goes on.';
    });
  }

  /** @param {() => Promise<string>} work */
  async doing(work) {
    try {
      setText(this.said, await work());
    } catch (error) {
      setText(this.said, `Not done: ${/** @type {Error} */ (error).message}.`);
    }
  }
}
