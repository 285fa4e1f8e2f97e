/**
 * The console: follows the worker's events, keeps what they say, and shows the view that the
 * address names.
 */
/** @import { State } from './views/worker-view.js' */
import { needToken } from './feed/api.js';
import { button, el, setProps, setText } from './parts/dom.js';
import { FleetView } from './views/fleet-view.js';
import { ForeignView } from './views/foreign-view.js';
import { time, visible } from './parts/format.js';
import { withSample } from './feed/history.js';
import { Stream } from './feed/stream.js';
import { WorkerView } from './views/worker-view.js';

/** @type {State} */
const state = {
  status: null,
  beacons: [],
  history: null,
  fleet: [],
  nowMs: 0,
  downMs: null,
  heardMs: Date.now(),
};
const current = () => state;
/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/**
 * @type {{ node: HTMLElement, update: () => void, updateHistory?: () => void, allow?: (isThere:
 * boolean) => void } | null}
 */
let view = null;

/** Views draw what they were told at most once a frame. @type {Set<'all' | 'history'>} */
const due = new Set();

/** @param {'all' | 'history'} what */
function draw(what) {
  if (due.size === 0) requestAnimationFrame(drawNow);
  due.add(what);
}

function drawNow() {
  const isAll = due.has('all');
  due.clear();
  if (isAll) view?.update();
  view?.updateHistory?.();
  setText(byId('hub'), state.status ? state.status.HubID : '');
  document.title = state.status
    ? visible(`${state.status.HubID}: ${state.status.State} - Tidemark`)
    : 'Tidemark';
}

function openView() {
  const [, place = '', hub = ''] = location.hash.split('/');
  const isFleet = place === 'fleet';
  if (isFleet && hub !== '') view = new ForeignView(current, decodeURIComponent(hub));
  else if (isFleet) {
    const fleet = new FleetView();
    view = {
      node: fleet.node,
      update: () => {
        if (state.fleet.length > 0) fleet.update(state.fleet);
      },
    };
  } else {
    const worker = new WorkerView(current, true);
    view = {
      node: worker.node,
      update: () => worker.update(state.status),
      updateHistory: () => worker.updateHistory(),
      allow: (isThere) => worker.allow(isThere),
    };
  }
  setProps(byId('nav-worker'), { 'aria-current': isFleet ? null : 'page' });
  setProps(byId('nav-fleet'), { 'aria-current': isFleet ? 'page' : null });
  byId('main').replaceChildren(view.node);
  view.allow?.(state.downMs === null && state.status !== null);
  stream.follow(isFleet ? 'api/events?watch=fleet' : 'api/events');
  draw('all');
}

/** @param {string} name @param {any} data */
function onEvent(name, data) {
  state.heardMs = Date.now();
  if (name === 'status') state.status = data;
  else if (name === 'beacons') state.beacons = data.Beacons;
  else if (name === 'fleet') state.fleet = data.Workers;
  else if (name === 'history') state.history = data;
  else if (name === 'sample' && state.history) state.history = withSample(state.history, data);
  if (name === 'beat') state.nowMs = Date.parse(data.At);
  else if (name === 'sample') state.nowMs = data.At;
  else if (name === 'history') state.nowMs = Math.max(state.nowMs, data.At.at(-1) ?? 0);
  if (name === 'status') view?.allow?.(true);
  draw(name === 'sample' || name === 'history' || name === 'beat' ? 'history' : 'all');
}

function onUp() {
  state.downMs = null;
  state.heardMs = Date.now();
  document.body.classList.remove('stale');
  byId('banner').replaceChildren();
  setText(byId('link'), 'live');
}

/** @param {string} reason */
function onDown(reason) {
  // Since it was last heard of, not since that was noticed.
  state.downMs ??= state.heardMs;
  document.body.classList.add('stale');
  view?.allow?.(false);
  setText(byId('link'), 'not connected');
  const text =
    `Worker unreachable since ${time(state.downMs)}: ${reason}. ` +
    `${state.status ? 'Values below are from then. ' : ''}Trying again.`;
  if (byId('banner').textContent !== text) byId('banner').replaceChildren(el('p', {}, text));
}

/**
 * The reader closed the question for a token: it is asked again when the reader wants.
 * @returns {Promise<void>}
 */
function onDeclined() {
  return new Promise((resolve) => {
    setText(byId('link'), 'not connected');
    byId('banner').replaceChildren(
      el(
        'p',
        {},
        'This worker shows itself to those who have a token. ',
        button('Enter a token', async () => {
          if (await needToken(undefined)) resolve();
        }),
      ),
    );
  });
}

const stream = new Stream({ onEvent, onUp, onDown, onDeclined });
byId('skip').addEventListener('click', (event) => {
  event.preventDefault();
  byId('main').focus();
});
window.addEventListener('hashchange', () => {
  openView();
  byId('main').focus();
});
openView();
