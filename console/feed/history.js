/** The history of both lanes in the page: adds samples, computes rates and chart data. Pure. */
/** @import { HistorySample, HistoryView, LaneColumns } from '../../contracts/console-answers.ts' */

/** @typedef {'Queue' | 'Manifest'} LaneName */
/** @type {readonly LaneName[]} */
export const laneNames = ['Queue', 'Manifest'];
/** As many as the worker keeps. */
const samplesMax = 900;
/** Rates are averaged over this time. */
const rateMs = 20_000;

/** @param {HistoryView} view @param {HistorySample} sample @returns {HistoryView} */
export function withSample(view, sample) {
  const last = view.At.at(-1);
  if (last !== undefined && sample.At <= last) return view;
  // The worker sends nothing while nothing changes, so fill a gap with the last values.
  const isGap = last !== undefined && sample.At - last > 1.5 * view.SampleMs;
  const At = isGap ? [...view.At, sample.At - view.SampleMs, sample.At] : [...view.At, sample.At];
  /** @param {LaneName} name @returns {LaneColumns} */
  const lane = (name) => {
    /** @param {keyof LaneColumns} column */
    const grown = (column) => {
      const before = view[name][column];
      return (
        isGap
          ? [...before, before.at(-1) ?? 0, sample[name][column]]
          : [...before, sample[name][column]]
      ).slice(-samplesMax);
    };
    return { Accepted: grown('Accepted'), Settled: grown('Settled'), Pending: grown('Pending') };
  };
  return {
    SampleMs: view.SampleMs,
    At: At.slice(-samplesMax),
    Queue: lane('Queue'),
    Manifest: lane('Manifest'),
  };
}

/**
 * Writes accepted and settled per second, averaged over the last seconds; null with fewer than two
 * samples.
 * @param {HistoryView} view
 * @param {LaneName} name
 * @param {number} nowMs by the worker's clock
 * @returns {{ accept: number, drain: number } | null}
 */
export function rates(view, name, nowMs) {
  const last = view.At.length - 1;
  if (last < 1) return null;
  const endMs = Math.max(nowMs, view.At[last] ?? 0);
  let from = last;
  while (from > 0 && endMs - (view.At[from] ?? 0) < rateMs) from -= 1;
  // Without a newer sample nothing was accepted or settled.
  if (from === last) return { accept: 0, drain: 0 };
  const seconds = (endMs - (view.At[from] ?? 0)) / 1000;
  const { Accepted, Settled } = view[name];
  /** @param {number[]} column */
  const perSecond = (column) => Math.max(0, ((column[last] ?? 0) - (column[from] ?? 0)) / seconds);
  return { accept: perSecond(Accepted), drain: perSecond(Settled) };
}

/**
 * Points of one chart, relative to the level at its left edge, so that it shows the last half hour
 * instead of the store's whole life.
 * @param {HistoryView} view
 * @param {LaneName} name
 * @param {number} nowMs
 */
export function chartOf(view, name, nowMs) {
  const { Accepted, Settled } = view[name];
  const floor = Math.min(Settled[0] ?? 0, Accepted[0] ?? 0);
  const at = [...view.At];
  const endMs = at.at(-1) ?? nowMs;
  const isLate = nowMs > endMs && at.length > 0;
  /** @param {number[]} column */
  const line = (column) => {
    const values = column.map((value) => value - floor);
    return isLate ? [...values, values.at(-1) ?? 0] : values;
  };
  return { at: isLate ? [...at, nowMs] : at, head: line(Accepted), mark: line(Settled), floor };
}
