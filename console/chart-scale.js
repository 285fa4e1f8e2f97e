/** Where a value lies on a chart: round steps of an axis, points, paths. Pure. */

/** The next of 1, 2, 5 times a power of ten. @param {number} value */
export function roundUp(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5, 10].find((step) => step * power >= value) ?? 10) * power;
}

/** Three lines of an axis from zero that hold `highest`; whole numbers. @param {number} highest */
export function axis(highest) {
  const top = Math.max(2, roundUp(highest));
  return [0, top / 2, top];
}

/** @param {[number, number]} from @param {[number, number]} to */
export function scale([a, b], [c, d]) {
  const width = b - a || 1;
  /** @param {number} value */
  return (value) => c + ((value - a) / width) * (d - c);
}

/** A line in steps through points; those that share a pixel become one, the last, so that a path is never longer than the chart is wide. @param {number[]} xs @param {number[]} ys */
export function stepPath(xs, ys) {
  let [path, lastX, lastY] = ['', NaN, NaN];
  for (const [n, raw] of xs.entries()) {
    const [x, y] = [Math.round(raw), Math.round((ys[n] ?? 0) * 10) / 10];
    if (path === '') path = `M${x} ${y}`;
    else if (y !== lastY || n === xs.length - 1) path += x === lastX ? `V${y}` : `L${x} ${lastY}L${x} ${y}`;
    else continue;
    [lastX, lastY] = [x, y];
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
