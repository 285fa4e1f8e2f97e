/** Geometry of charts: round axis steps, points, paths. Pure. */

/**
 * The next 1, 2 or 5 times a power of ten.
 * @param {number} value
 */
export function roundUp(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5, 10].find((step) => step * power >= value) ?? 10) * power;
}

/**
 * Three axis lines from zero that cover `highest`, at whole numbers.
 * @param {number} highest
 */
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
 * Points in pixels; of several in one pixel column only the last is kept, so that a path has no
 * more points than the chart is wide.
 * @param {number[]} xs
 * @param {number[]} ys
 * @returns {Point[]}
 */
function pointsOf(xs, ys) {
  /** @type {Map<number, number>} */
  const columns = new Map();
  for (const [n, x] of xs.entries()) columns.set(Math.round(x), Math.round((ys[n] ?? 0) * 10) / 10);
  const points = [...columns];
  // Draw only the ends of a horizontal stretch.
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
