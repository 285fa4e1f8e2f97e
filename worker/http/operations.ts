/**
 * All calls of the operators' HTTP: what each is for, what it takes and what it answers. They are
 * mounted and documented from here, so a route that is not here is not served.
 */
import type { TObject, TSchema } from '@sinclair/typebox';
import { bareVerbs } from '../../contracts/control-verbs.ts';
import { answered } from './answered.ts';
import { given } from './given.ts';

export type HttpOperation = {
  method: 'get' | 'post';
  /** As the router has it. */
  path: string;
  tag: 'page' | 'probes' | 'persistence' | 'look' | 'act' | 'lab';
  summary: string;
  params?: TObject;
  query?: TObject;
  body?: TObject;
  /** By status; a text is the content type of an answer that is no JSON. */
  answers: Readonly<Record<number, TSchema | string>>;
};

const { refusal } = answered;
const plain = 'text/plain';
const wrong = { 400: refusal };
const gone = { 404: refusal };
const lab = '/api/lab/ultravisor-instances';
const hubGone = { ...wrong, ...gone, 409: refusal, 502: refusal };

export const operations = {
  page: {
    method: 'get',
    path: '/',
    tag: 'page',
    summary: 'The console; it holds no data, and needs no token.',
    answers: { 200: 'text/html' },
  },
  pageFile: {
    method: 'get',
    path: '/console/:file{.+}',
    tag: 'page',
    summary: 'Its files.',
    params: given.file,
    answers: { 200: 'text/javascript', 404: refusal },
  },
  livez: {
    method: 'get',
    path: '/livez',
    tag: 'probes',
    summary: 'The process is alive.',
    answers: { 200: plain },
  },
  readyz: {
    method: 'get',
    path: '/readyz',
    tag: 'probes',
    summary: 'A write sent now would be accepted; a backend that is away does not matter.',
    answers: { 200: plain, 503: plain },
  },
  healthz: {
    method: 'get',
    path: '/healthz',
    tag: 'probes',
    summary: 'Health in detail.',
    answers: { 200: answered.health },
  },
  metrics: {
    method: 'get',
    path: '/metrics',
    tag: 'probes',
    summary: 'Metrics for Prometheus.',
    answers: { 200: plain },
  },
  openapi: {
    method: 'get',
    path: '/api/openapi.json',
    tag: 'probes',
    summary: 'This document.',
    answers: { 200: answered.openapi },
  },
  assign: {
    method: 'post',
    path: '/Ultravisor/Persistence/Assign',
    tag: 'persistence',
    summary: 'Deliver both lanes to a connection of a beacon from now on, or take that back.',
    body: given.assign,
    answers: { 200: answered.assigned, ...wrong, 413: refusal, 503: refusal },
  },
  persistenceStatus: {
    method: 'get',
    path: '/Ultravisor/Persistence/Status',
    tag: 'persistence',
    summary: 'The state of both lanes.',
    answers: { 200: answered.lanes },
  },
  status: {
    method: 'get',
    path: '/api/status',
    tag: 'look',
    summary: 'The state of the worker.',
    answers: { 200: answered.status },
  },
  hwm: {
    method: 'get',
    path: '/api/hwm',
    tag: 'look',
    summary: 'High-water marks of all databases.',
    answers: { 200: answered.hwm },
  },
  beacons: {
    method: 'get',
    path: '/api/beacons',
    tag: 'look',
    summary: 'Beacons that are there.',
    answers: { 200: answered.beacons },
  },
  beaconConnections: {
    method: 'get',
    path: '/api/beacons/:id/connections',
    tag: 'look',
    summary: 'Databases of a beacon.',
    params: given.id,
    answers: { 200: answered.connections, ...wrong, ...gone },
  },
  ops: {
    method: 'get',
    path: '/api/ops',
    tag: 'look',
    summary: 'Maintenance operations and how they stand.',
    answers: { 200: answered.ops },
  },
  journal: {
    method: 'get',
    path: '/api/journal',
    tag: 'look',
    summary: 'Counts of the journal.',
    answers: { 200: answered.journal },
  },
  operatorLog: {
    method: 'get',
    path: '/api/operator-log',
    tag: 'look',
    summary: 'What operators changed or tried to, the newest first.',
    query: given.page,
    answers: { 200: answered.operatorLog, ...wrong },
  },
  deadLetters: {
    method: 'get',
    path: '/api/dead-letters',
    tag: 'look',
    summary: 'Writes a database refused for good; in pages, where one is asked for.',
    query: given.deadLetterPage,
    answers: { 200: answered.deadLetters, ...wrong },
  },
  deadLetter: {
    method: 'get',
    path: '/api/dead-letters/:seq',
    tag: 'look',
    summary: 'One of them, with its content.',
    params: given.seq,
    answers: { 200: answered.deadLetter, ...wrong, ...gone },
  },
  endDeadLetter: {
    method: 'post',
    path: '/api/dead-letters/:seq/:verb{retry|drop}',
    tag: 'act',
    summary: 'Try one again, or give it up.',
    params: given.seqVerb,
    answers: { 200: answered.success, ...wrong, ...gone },
  },
  locate: {
    method: 'get',
    path: '/api/locate/:guid',
    tag: 'look',
    summary: 'Where a write is.',
    params: given.guid,
    answers: { 200: answered.location, ...wrong, 404: answered.location },
  },
  locateKey: {
    method: 'get',
    path: '/api/locate',
    tag: 'look',
    summary:
      'The writes of a key, the newest first; IsComplete says whether all of the journal was looked at.',
    query: given.key,
    answers: { 200: answered.keyLocations, ...wrong, 404: answered.keyLocations },
  },
  fleet: {
    method: 'get',
    path: '/api/fleet',
    tag: 'look',
    summary: 'All workers of the bus, as the console shows them.',
    answers: { 200: answered.fleet },
  },
  history: {
    method: 'get',
    path: '/api/history',
    tag: 'look',
    summary: 'Levels of the last half hour.',
    answers: { 200: answered.history },
  },
  events: {
    method: 'get',
    path: '/api/events',
    tag: 'look',
    summary: 'What happens, as server-sent events, until the reader goes.',
    query: given.watch,
    answers: { 200: 'text/event-stream', ...wrong, 503: refusal },
  },
  deliveryVerb: {
    method: 'post',
    path: `/api/:verb{${bareVerbs.join('|')}}`,
    tag: 'act',
    summary:
      'Hold delivery, go on, leave after finishing what was taken, or take the assignment back.',
    params: given.verb,
    answers: { 200: answered.success, ...gone },
  },
  instances: {
    method: 'get',
    path: lab,
    tag: 'lab',
    summary: 'All workers of the bus.',
    answers: { 200: answered.instances, 502: refusal },
  },
  instance: {
    method: 'get',
    path: `${lab}/:id`,
    tag: 'lab',
    summary: 'One of them, by its HubID, also when it does not run.',
    params: given.id,
    answers: { 200: answered.instance, ...wrong, ...gone, 502: refusal },
  },
  assignInstance: {
    method: 'post',
    path: `${lab}/:id/persistence-beacon`,
    tag: 'lab',
    summary: 'Assign a database to a hub, or take that back; refused with nothing changed.',
    params: given.id,
    body: given.labAssign,
    answers: { 200: answered.persistence, ...hubGone, 413: refusal },
  },
  instanceStatus: {
    method: 'get',
    path: `${lab}/:id/persistence-status`,
    tag: 'lab',
    summary: 'The persistence of a hub as its worker says.',
    params: given.id,
    answers: { 200: answered.persistence, ...hubGone },
  },
  labConnections: {
    method: 'get',
    path: '/api/lab/beacons/:id/connections',
    tag: 'lab',
    summary: 'Databases of a beacon.',
    params: given.id,
    answers: { 200: answered.connections, ...wrong, ...gone },
  },
} as const satisfies Record<string, HttpOperation>;

export type OperationName = keyof typeof operations;
