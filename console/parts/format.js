/** Numbers, ages and times as people read them. Pure. */

const counts = new Intl.NumberFormat('en');
const short = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });
const clockOf = new Intl.DateTimeFormat('en-GB', {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
});
const dayOf = new Intl.DateTimeFormat('en-CA', {
  year: 'numeric',
  month: '2-digit',
  day: '2-digit',
});

/** @param {unknown} value */
export function count(value) {
  const number = Number(value);
  return Number.isFinite(number) ? counts.format(number) : '-';
}

/** @type {readonly [unit: string, seconds: number][]} */
const spans = [
  ['y', 31_536_000],
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
  ['s', 1],
];

/** A span of time in its two largest units: `4 min 10 s`. @param {number} seconds */
export function span(seconds) {
  if (!Number.isFinite(seconds) || seconds < 0) return '-';
  if (seconds < 10) return `${short.format(seconds)} s`;
  const at = spans.findIndex(([, size]) => seconds >= size);
  const [unit, size] = spans[at] ?? ['s', 1];
  const next = spans[at + 1];
  const rest = next ? Math.floor((seconds % size) / next[1]) : 0;
  return `${Math.floor(seconds / size)} ${unit}${next && rest > 0 ? ` ${rest} ${next[0]}` : ''}`;
}

/** @param {number} ms */
export function age(ms) {
  return ms <= 0 ? 'none' : span(ms / 1000);
}

/** @param {number | null} perSecond */
export function rate(perSecond) {
  return perSecond === null
    ? 'not known yet'
    : `${short.format(Math.round(perSecond * 10) / 10)} a second`;
}

const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];

/** @param {number} value */
export function bytes(value) {
  const step = value > 0 ? Math.min(units.length - 1, Math.floor(Math.log2(value) / 10)) : 0;
  return `${short.format(value / 1024 ** step)} ${units[step]}`;
}

/**
 * Time of day where the reader is, with the date when it is another day.
 * @param {string | number | null | undefined} at
 * @param {number} [nowMs]
 */
export function time(at, nowMs = Date.now()) {
  const date = new Date(at ?? NaN);
  if (Number.isNaN(date.getTime())) return '-';
  const day = dayOf.format(date);
  return day === dayOf.format(nowMs) ? clockOf.format(date) : `${day} ${clockOf.format(date)}`;
}

/** @param {number | null} seconds */
export function timeToFull(seconds) {
  if (seconds === null) return 'not in sight';
  return seconds === 0 ? 'full' : span(seconds);
}

/** Whether it reads as a UUID, whatever the case of its letters. @param {string} text */
export function isGuid(text) {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);
}

/** C0 but tab and line feed, DEL, C1, marks of direction, separators of lines, the byte order mark. */
const steering =
  // eslint-disable-next-line no-control-regex
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** What would turn the direction of reading or hide is written out. @param {string} text */
export function visible(text) {
  return text.replace(steering, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/**
 * Where a worker says that its console is: null where a link could be anything else than a page.
 * @param {string | null} address
 */
export function pageAt(address) {
  const url = address !== null && URL.canParse(address) ? new URL(address) : null;
  if (url === null || !/^https?:$/.test(url.protocol)) return null;
  return url.username === '' && url.password === '' ? url : null;
}
