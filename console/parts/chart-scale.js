/** Where a value lies on a chart: round steps of an axis, points, paths. Pure. */

/** The next of 1, 2, 5 times a power of ten. @param {number} value */
export function roundUp(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5, 10].find((step) => step * power >= value) ?? 10) * power;
}

/** Three lines of an axis from zero that hold `highest`; whole numbers. @param {number} highest */
export function axis(highest) {
  const half = Math.max(1, roundUp(highest / 2));
  return [0, half, 2 * half];
}

/** @param {[number, number]} from @param {[number, number]} to */
export function scale([a, b], [c, d]) {
  const width = b - a || 1;
  /** @param {number} value */
  return (value) => c + ((value - a) / width) * (d - c);
}

/** @typedef {readonly [x: number, y: number]} Point */

/**
 * Points on the chart's pixels; of those that share one only the last counts, so that a path is
 * never longer than the chart is wide.
 * @param {number[]} xs
 * @param {number[]} ys
 * @returns {Point[]}
 */
function pointsOf(xs, ys) {
  /** @type {Map<number, number>} */
  const columns = new Map();
  for (const [n, x] of xs.entries()) columns.set(Math.round(x), Math.round((ys[n] ?? 0) * 10) / 10);
  const points = [...columns];
  // Along a level only its ends are drawn.
  return points.filter(([, y], n) => points[n - 1]?.[1] !== y || points[n + 1]?.[1] !== y);
}

/** @param {readonly Point[]} points */
const through = (points) => points.map(([x, y], n) => `${n === 0 ? 'M' : 'L'}${x} ${y}`).join('');

/** A line through points. @param {number[]} xs @param {number[]} ys */
export function linePath(xs, ys) {
  return through(pointsOf(xs, ys));
}

/**
 * The area between two lines of the same points.
 * @param {number[]} xs
 * @param {number[]} upper
 * @param {number[]} lower
 */
export function areaPath(xs, upper, lower) {
  if (xs.length < 2) return '';
  return `${through([...pointsOf(xs, upper), ...pointsOf(xs, lower).toReversed()])}Z`;
}
