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

/** A line in steps through points; of those that share a pixel only the last counts, so that a path is never longer than the chart is wide. @param {number[]} xs @param {number[]} ys */
export function stepPath(xs, ys) {
  /** @type {Map<number, number>} */
  const columns = new Map();
  for (const [n, x] of xs.entries()) columns.set(Math.round(x), Math.round((ys[n] ?? 0) * 10) / 10);
  const points = [...columns];
  let [path, before] = ['', NaN];
  for (const [n, [x, y]] of points.entries()) {
    if (n === 0) path = `M${x} ${y}`;
    // Along a level only its end is drawn.
    else if (y !== before) path += `L${x} ${before}L${x} ${y}`;
    else if (n === points.length - 1) path += `L${x} ${y}`;
    before = y;
  }
  return path;
}

/** The area between two lines of the same points. @param {number[]} xs @param {number[]} upper @param {number[]} lower */
export function areaPath(xs, upper, lower) {
  if (xs.length < 2) return '';
  const there = stepPath(xs, upper);
  const back = stepPath(xs.toReversed(), lower.toReversed());
  return `${there}L${back.slice(1)}Z`;
}
