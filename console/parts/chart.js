/**
 * A lane over the last half hour: the head above, the mark below, and pending as the area between
 * them.
 */
import { count, time } from './format.js';
import { areaPath, axis, scale, linePath } from './chart-scale.js';
import { el, setProps, setText, svg } from './dom.js';

const height = 150;
const edge = { left: 52, right: 10, top: 8, bottom: 20 };

/** @typedef {{ at: number[], head: number[], mark: number[], floor: number }} ChartLines */

export class Chart {
  /** @param {string} title what it shows, for those who cannot see it */
  constructor(title) {
    this.title = title;
    this.area = svg('path', { class: 'area' });
    this.head = svg('path', { class: 'head' });
    this.mark = svg('path', { class: 'mark' });
    this.grid = svg('g', { class: 'grid' });
    this.svg = svg('svg', { role: 'img', height }, this.grid, this.area, this.head, this.mark);
    this.note = el('figcaption', {}, '');
    this.node = el(
      'figure',
      {},
      this.svg,
      el(
        'p',
        { class: 'legend' },
        el('span', { class: 'key head' }, 'head: accepted'),
        el('span', { class: 'key mark' }, 'mark: settled'),
        el('span', { class: 'key area' }, 'between: pending'),
      ),
      this.note,
    );
    /** @type {ChartLines | null} */
    this.lines = null;
    new ResizeObserver(() => this.draw()).observe(this.node);
  }

  /** @param {ChartLines} lines */
  update(lines) {
    this.lines = lines;
    this.draw();
  }

  draw() {
    const { lines } = this;
    const width = Math.max(200, Math.floor(this.node.clientWidth));
    setProps(this.svg, { viewBox: `0 0 ${width} ${height}`, width });
    if (!lines || lines.at.length < 2) {
      setText(this.note, 'The chart begins with the second sample.');
      return;
    }
    const { at, head, mark } = lines;
    const [start, end] = [at[0] ?? 0, at.at(-1) ?? 0];
    const steps = axis(Math.max(...head));
    const x = scale([start, end], [edge.left, width - edge.right]);
    const y = scale([0, steps.at(-1) ?? 1], [height - edge.bottom, edge.top]);
    const xs = at.map(x);
    const [heads, marks] = [head.map(y), mark.map(y)];
    setProps(this.area, { d: areaPath(xs, heads, marks) });
    setProps(this.head, { d: linePath(xs, heads) });
    setProps(this.mark, { d: linePath(xs, marks) });
    this.grid.replaceChildren(
      ...steps.flatMap((value) => [
        svg('line', { x1: edge.left, x2: width - edge.right, y1: y(value), y2: y(value) }),
        svg('text', { x: edge.left - 6, y: y(value) + 4, 'text-anchor': 'end' }, count(value)),
      ]),
      svg('text', { x: edge.left, y: height - 4 }, time(start)),
      svg('text', { x: width - edge.right, y: height - 4, 'text-anchor': 'end' }, time(end)),
    );
    /** @param {number[]} line */
    const grown = (line) => count((line.at(-1) ?? 0) - (line[0] ?? 0));
    setText(
      this.note,
      `Since ${time(start)}: ${grown(head)} accepted, ${grown(mark)} settled. Pending ` +
        `now: ${count((head.at(-1) ?? 0) - (mark.at(-1) ?? 0))}.`,
    );
    setProps(this.svg, { 'aria-label': `${this.title}: ${this.note.textContent}` });
  }
}
