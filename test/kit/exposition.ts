/** The text format of Prometheus, read as far as the tests need it. */

/** Metric -> its type, as the TYPE lines say. */
export function typesIn(text: string): Map<string, string> {
  return new Map(
    [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', type = '']) => [name, type]),
  );
}

/** Value of one series, its labels in the order they are written; undefined where there is none. */
export function valueIn(text: string, series: string): number | undefined {
  const line = text.split('\n').find((one) => one.startsWith(`${series} `));
  return line === undefined
    ? undefined
    : Number(line.slice(series.length + 1).replace('+Inf', 'Infinity'));
}

/** All values of a metric, whatever their labels. */
export function valuesIn(text: string, name: string): number[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .map((line) => Number(line.slice(line.lastIndexOf(' ') + 1)));
}
