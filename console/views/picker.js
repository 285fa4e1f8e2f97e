/**
 * The picker of persistence: a databeacon, then one of its connections, then Save; nothing is
 * committed before.
 */
/** @import { Presence } from '../../contracts/presence.ts' */
/** @import { FleetRow } from '../../contracts/console-answers.ts' */
/** @import { LaneStatus } from '../../contracts/status.ts' */
import { call } from '../feed/api.js';
import { ask } from '../parts/dialogs.js';
import { button, el, setText } from '../parts/dom.js';

/**
 * @typedef {{ IDBeaconConnection: number, Name: string, Engine: string, Connected: boolean }}
 * Connection
 */
/** @typedef {{ BeaconID: string | null, IDBeaconConnection: number }} Choice */

const legacy = ['QueuePersistence', 'ManifestStore'];

/**
 * Which other hubs a databeacon serves.
 * @param {readonly FleetRow[]} fleet
 * @param {string} beacon
 */
export function servedBy(fleet, beacon) {
  return fleet
    .filter(
      (row) =>
        !row.IsSelf &&
        row.Status &&
        [row.Status.Queue, row.Status.Manifest].some((lane) => lane.AssignedBeaconID === beacon),
    )
    .map((row) => row.HubID);
}

/** Those without databases to choose from. @param {Presence | undefined} beacon */
function isLegacy(beacon) {
  return (
    beacon !== undefined &&
    beacon.Connections.length === 0 &&
    beacon.Capabilities.some((name) => legacy.includes(name))
  );
}

/** @param {Connection} one */
function labelOf(one) {
  return (
    `${one.IDBeaconConnection}: ${one.Name || 'unnamed'} ` +
    `(${one.Engine || 'unknown'}${one.Connected ? '' : ', not connected'})`
  );
}

export class Picker {
  /**
   * @param {readonly Presence[]} beacons
   * @param {LaneStatus} current
   * @param {(choice: Choice | null) => void} close
   */
  constructor(beacons, current, close) {
    this.beacons = beacons;
    this.current = current;
    this.close = close;
    this.beacon = el('select', { id: 'pick-beacon', change: () => this.choose() });
    this.connection = el('select', { id: 'pick-connection', change: () => this.allow() });
    this.warning = el('p', { class: 'warning', role: 'status' });
    this.problem = el('p', { class: 'wrong', role: 'alert' });
    this.save = el('button', { type: 'submit', class: 'main' }, 'Save');
    this.clear = button(
      'Clear assignment',
      () => close({ BeaconID: null, IDBeaconConnection: 0 }),
      { class: 'danger', disabled: current.AssignedBeaconID === null },
    );
    this.form = el(
      'form',
      {
        submit: (event) => {
          event.preventDefault();
          this.commit();
        },
      },
      el('label', { for: 'pick-beacon' }, 'Databeacon'),
      this.beacon,
      el('label', { for: 'pick-connection' }, 'Connection'),
      this.connection,
      this.warning,
      this.problem,
      el(
        'p',
        { class: 'actions' },
        button('Cancel', () => close(null)),
        this.clear,
        this.save,
      ),
    );
    /** What the list was made of. */
    this.listed = '';
    this.offer(beacons);
    this.beacon.value = current.AssignedBeaconID ?? '';
    void this.choose();
  }

  /**
   * Those that are there now: they come and go while the reader looks; the choice stays.
   * @param {readonly Presence[]} beacons
   */
  offer(beacons) {
    this.beacons = beacons;
    const there = beacons.map((one) => one.BeaconID);
    const chosen = this.beacon.value;
    const away = [...new Set([this.current.AssignedBeaconID ?? '', chosen])].filter(
      (name) => name !== '' && !there.includes(name),
    );
    const labels = [
      ['', there.length === 0 ? 'no databeacon is on the bus' : 'choose a databeacon'],
      ...there.map((name) => [name, name]),
      ...away.map((name) => [name, `${name} (away)`]),
    ];
    if (JSON.stringify(labels) === this.listed) return;
    this.listed = JSON.stringify(labels);
    this.beacon.replaceChildren(
      ...labels.map(([value = '', label = '']) => el('option', { value }, label)),
    );
    this.beacon.value = chosen;
  }

  /** Its connections are asked for when a databeacon is chosen, for only then do they matter. */
  async choose() {
    const beacon = this.beacon.value;
    this.connection.replaceChildren();
    setText(this.problem, '');
    this.allow();
    void this.warn();
    if (beacon === '') return;
    if (isLegacy(this.beacons.find((one) => one.BeaconID === beacon)))
      this.connection.append(
        el('option', { value: '0' }, '0: keeps rows without databases to choose from'),
      );
    else await this.load(beacon);
    if (beacon === this.current.AssignedBeaconID)
      this.connection.value = String(this.current.IDBeaconConnection);
    this.allow();
  }

  /** @param {string} beacon */
  async load(beacon) {
    try {
      /** @type {{ Connections: Connection[] }} */
      const { Connections } = await call(`api/beacons/${encodeURIComponent(beacon)}/connections`);
      if (beacon !== this.beacon.value) return;
      this.connection.replaceChildren(
        ...Connections.map((one) => el('option', { value: one.IDBeaconConnection }, labelOf(one))),
      );
      if (Connections.length === 0) setText(this.problem, `${beacon} offers no connection.`);
    } catch (error) {
      if (beacon === this.beacon.value) setText(this.problem, /** @type {Error} */ (error).message);
    }
  }

  allow() {
    this.save.disabled = this.beacon.value === '' || this.connection.value === '';
  }

  /** Whom it serves is asked when it is chosen: what the fleet was before may be another by now. */
  async warn() {
    const beacon = this.beacon.value;
    setText(this.warning, '');
    /** @type {{ Workers: FleetRow[] }} */
    const { Workers } =
      beacon === '' ? { Workers: [] } : await call('api/fleet').catch(() => ({ Workers: [] }));
    if (beacon !== this.beacon.value) return;
    const others = servedBy(Workers, beacon);
    const hubs =
      others.length === 1
        ? `hub ${others[0]}`
        : `${others.length} hubs, ${others.slice(0, 3).join(', ')} among them`;
    setText(
      this.warning,
      others.length === 0
        ? ''
        : `${beacon} already serves ${hubs}. ` +
            'Rows are kept apart by HubID; both share its database and its time.',
    );
  }

  commit() {
    if (!this.save.disabled)
      this.close({
        BeaconID: this.beacon.value,
        IDBeaconConnection: Number(this.connection.value),
      });
  }
}

/**
 * Asks, and assigns what was chosen. `onOpen` gets the picker, to be told who comes and goes.
 * @param {readonly Presence[]} beacons
 * @param {LaneStatus} current
 * @param {(picker: Picker) => void} onOpen
 * @returns {Promise<string>} what was done, empty for nothing
 */
export async function pickPersistence(beacons, current, onOpen) {
  const choice = await ask(
    current.AssignedBeaconID === null ? 'Assign persistence' : 'Change persistence',
    (/** @type {(choice: Choice | null) => void} */ close) => {
      const picker = new Picker(beacons, current, close);
      onOpen(picker);
      return [
        el(
          'p',
          {},
          'Both lanes are delivered there. What is pending stays in the journal until it is.',
        ),
        picker.form,
      ];
    },
  );
  if (choice === null) return '';
  await call('Ultravisor/Persistence/Assign', { method: 'POST', body: choice });
  return choice.BeaconID === null
    ? 'The assignment was cleared.'
    : `Assigned to ${choice.BeaconID}, connection ${choice.IDBeaconConnection}.`;
}
