/**
 * The files operators load into Prometheus and Grafana: rules that fire when they should, and lead
 * to a chapter that is there; a dashboard that is whole.
 */
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { promtool } from '../kit/servers/promtool.ts';
import { root } from '../kit/source.ts';
import { tempDir } from '../kit/temp-dir.ts';

const folder = join(root, 'deploy', 'prometheus');
const rules = readFileSync(join(folder, 'alerts.yml'), 'utf8');
const alerts = rules.split(/^ {6}- alert: /m).slice(1);

test('promtool finds the alerts sound, and each fires in its test and not before', () => {
  expect(promtool(['check', 'rules', 'alerts.yml'], { folder })).toMatchObject({ status: 0 });
  expect(promtool(['test', 'rules', 'alerts.test.yml'], { folder })).toMatchObject({ status: 0 });
});

/** Rules that are wrong, each in one place. */
const wrong: [what: string, from: string, to: string][] = [
  [
    'a balance that is allowed to differ',
    'tidemark_balance_difference != 0',
    'tidemark_balance_difference > 0',
  ],
  [
    'a time to full in minutes',
    'tidemark_buffer_time_to_full_seconds < 3600',
    'tidemark_buffer_time_to_full_seconds < 60',
  ],
  [
    'an alert that comes at once',
    'tidemark_beacon_state{state="error"} == 1\n        for: 5m',
    'tidemark_beacon_state{state="error"} == 1\n        for: 0m',
  ],
  ['a worker that may be forgotten', ' or absent(up{job="tidemark-worker"})', ''],
  [
    'a buffer that shrinks',
    '(deriv(tidemark_buffer_size_items[10m])) > 0',
    '(deriv(tidemark_buffer_size_items[10m])) != 0',
  ],
];

test.each(wrong)('the tests of the alerts find %s', (_, from, to) => {
  const dir = tempDir('alerts');
  onTestFinished(() => dir[Symbol.dispose]());
  cpSync(folder, dir.path, { recursive: true });
  expect(rules).toContain(from);
  writeFileSync(dir.at('alerts.yml'), rules.replace(from, to));
  expect(promtool(['test', 'rules', 'alerts.test.yml'], { folder: dir.path }).status).toBe(1);
});

test('every alert has a test, a severity, what is wrong, what to do, a chapter of docs/OPERATIONS.md', () => {
  const tests = readFileSync(join(folder, 'alerts.test.yml'), 'utf8');
  const chapters = new Set(
    [...readFileSync(join(root, 'docs', 'OPERATIONS.md'), 'utf8').matchAll(/^#+ (.*)$/gm)].map(
      ([, title = '']) =>
        title
          .toLowerCase()
          .replaceAll(/[^a-z0-9 -]/g, '')
          .replaceAll(' ', '-'),
    ),
  );
  const lacks = (alert: string) => {
    const name = /^\w+/.exec(alert)?.[0] ?? '';
    const parts = ['summary', 'description', 'action'].filter(
      (part) => !new RegExp(`${part}: '.{5,}'`).test(alert),
    );
    const has = {
      test: tests.includes(`alertname="${name}"`),
      severity: /severity: (?:critical|warning)/.test(alert),
      chapter: chapters.has(/docs\/OPERATIONS\.md#([\w-]+)/.exec(alert)?.[1] ?? ''),
    };
    return [
      ...parts,
      ...Object.entries(has).flatMap(([what, isThere]) => (isThere ? [] : [what])),
    ].map((what) => `${name}: ${what}`);
  };
  expect(alerts.length).toBeGreaterThan(10);
  expect(alerts.flatMap(lacks)).toEqual([]);
  expect(lacks('TidemarkNothing\n        expr: 1')).toHaveLength(6);
});

type Panel = {
  id: number;
  type: string;
  title: string;
  description?: string;
  gridPos: { x: number; y: number; w: number; h: number };
  targets?: { expr: string; refId: string }[];
};
type Dashboard = {
  uid: string;
  schemaVersion: number;
  panels: Panel[];
  templating: { list: { name: string }[] };
};
const dashboard = JSON.parse(
  readFileSync(join(root, 'deploy', 'grafana', 'tidemark.json'), 'utf8'),
) as Dashboard;

test('the dashboard is whole: ids once, no overlapping panels, each with a description and a query', () => {
  const { panels } = dashboard;
  expect(new Set(panels.map((panel) => panel.id)).size).toBe(panels.length);
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, n) => `${x + (n % w)}/${y + Math.floor(n / w)}`),
  );
  expect(new Set(cells).size).toBe(cells.length);
  expect(Math.max(...panels.map(({ gridPos: { x, w } }) => x + w))).toBeLessThanOrEqual(24);
  const wanting = panels.filter(
    (panel) =>
      panel.type !== 'row' && (!panel.description?.endsWith('.') || !panel.targets?.length),
  );
  expect(wanting.map((panel) => panel.title)).toEqual([]);
});

test('every question of the dashboard can be parsed, and asks only for variables it has', () => {
  const known = new Set([
    ...dashboard.templating.list.map((one) => one.name),
    '__rate_interval',
    '__all',
  ]);
  const asked = dashboard.panels
    .flatMap((panel) => panel.targets ?? [])
    .map((target) => target.expr);
  const text = JSON.stringify(dashboard);
  expect(
    [...text.matchAll(/\$\{?(\w+)/g)]
      .map(([, name = '']) => name)
      .filter((name) => !known.has(name)),
  ).toEqual([]);
  const dir = tempDir('dashboard');
  onTestFinished(() => dir[Symbol.dispose]());
  const groups = asked.map((expr, n) => ({
    record: `panel:${n}`,
    expr: expr.replaceAll('$__rate_interval', '5m'),
  }));
  // JSON is YAML.
  writeFileSync(
    dir.at('panels.yml'),
    JSON.stringify({ groups: [{ name: 'panels', rules: groups }] }),
  );
  expect(promtool(['check', 'rules', dir.at('panels.yml')])).toMatchObject({ status: 0 });
  writeFileSync(
    dir.at('panels.yml'),
    JSON.stringify({
      groups: [{ name: 'panels', rules: [{ record: 'panel:1', expr: 'sum(rate(x[5m])' }] }],
    }),
  );
  expect(promtool(['check', 'rules', dir.at('panels.yml')]).status).toBe(1);
});
