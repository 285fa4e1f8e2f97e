/** Who may import whom: top folders, rooms inside worker and beacon, and no circles, types included. */
import { sourceOf, type Source, targetOf } from '../kit/source.ts';
import { each, holds, productSources, type Rule, sources } from '../kit/tidy.ts';

/** Folder -> folders it may import from; those that are not here may import from all. */
const mayImport: Record<string, readonly string[]> = {
  contracts: [],
  runtime: ['contracts'],
  hwm: ['contracts'],
  bridges: ['contracts'],
  worker: ['contracts', 'runtime', 'hwm', 'bridges'],
  beacon: ['contracts', 'runtime'],
  cli: ['contracts', 'runtime', 'hwm', 'bridges', 'worker', 'beacon'],
  dropin: ['contracts'],
  console: [],
};

/** Relative imports of a source, as paths from the root. */
const targetsOf = (source: Source): string[] =>
  source.imports.flatMap(({ from }) => (from.startsWith('.') ? [targetOf(source, from)] : []));

const importing = (path: string, from: string): Source =>
  sourceOf(path, `import type { A } from '${from}';\n`);

holds('folders import only from the folders below them, and nobody from the tests', {
  over: productSources,
  rule: each((source) =>
    targetsOf(source).map((target) => {
      const folder = target.split('/')[0] ?? '';
      const isAllowed = folder === source.folder || mayImport[source.folder]?.includes(folder);
      return isAllowed !== true && `imports ${target}`;
    }),
  ),
  planted: [
    [importing('worker/reads/a.ts', '../../cli/b.ts')],
    [importing('beacon/a.ts', '../test/kit/until.ts')],
  ],
});

/** Rooms from the uppermost to the lowest; those of one line do not know each other. */
const rooms: Record<string, readonly (readonly string[])[]> = {
  worker: [
    ['process'],
    ['http'],
    ['console', 'metrics', 'upkeep'],
    ['hub', 'operators'],
    ['reads', 'intake', 'ops'],
    ['replay'],
    ['beacons'],
    ['journal', 'incumbent'],
    ['state'],
  ],
  'worker/state': [
    ['open'],
    ['recover'],
    ['store.ts'],
    ['guard'],
    ['schema'],
    ['owners.ts'],
    ['connection.ts', 'paths.ts', 'file-names.ts', 'entry-identity.ts'],
  ],
  beacon: [
    ['process'],
    ['front', 'legacy'],
    ['capabilities'],
    ['gateway'],
    ['endpoints'],
    ['databases'],
    ['engines'],
    ['sql'],
    ['engine'],
    ['bounds.ts', 'settings.ts'],
  ],
};

/** What is in `house` directly: a room, or a file beside the rooms. */
function roomIn(house: string, path: string): string | null {
  return path.startsWith(`${house}/`) ? (path.slice(house.length + 1).split('/')[0] ?? null) : null;
}

const betweenRooms: Rule = (over) =>
  Object.entries(rooms).flatMap(([house, floors]) => {
    const height = (room: string) => -floors.findIndex((floor) => floor.includes(room));
    return each((source) => {
      const own = roomIn(house, source.path);
      if (own === null) return [];
      if (height(own) > 0) return [`${own} has no place among the rooms of ${house}`];
      return targetsOf(source).map((target) => {
        const room = roomIn(house, target);
        const isBelow = room === null || room === own || height(room) < height(own);
        return !isBelow && `imports ${target}, which is not below ${own}`;
      });
    })(over);
  });

holds('rooms of worker and beacon import only from rooms below them, types included', {
  over: productSources,
  rule: betweenRooms,
  planted: [
    [importing('worker/journal/a.ts', '../replay/b.ts')],
    [importing('worker/console/a.ts', '../metrics/b.ts')],
    [importing('worker/state/schema/a.ts', '../store.ts')],
    [importing('beacon/attic/a.ts', '../engine/b.ts')],
  ],
});

/** Compose files and mains are started, not built upon. */
const starter = /^(beacon|worker)\/process\/command\.ts -> \1\/process\/compose\.ts$/;

holds('nobody imports a main or a compose file, but what starts it', {
  over: productSources,
  rule: each((source) =>
    source.imports.map(({ from, isTypeOnly }) => {
      if (isTypeOnly || !/\/(?:main|compose)\.ts$/.test(from)) return false;
      const target = targetOf(source, from);
      return !starter.test(`${source.path} -> ${target}`) && `imports ${target}`;
    }),
  ),
  planted: [[sourceOf('cli/a.ts', "import { run } from '../worker/process/compose.ts';\n")]],
});

/** Circles of imports, each as the way round. */
const circles: Rule = (over) => {
  const edges = new Map(over.map((source) => [source.path, targetsOf(source)]));
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) found.push([...trail.slice(trail.indexOf(path)), path].join(' -> '));
    if (done.has(path) || trail.includes(path)) return;
    for (const next of edges.get(path) ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const path of edges.keys()) visit(path, []);
  return found;
};

holds('no circles of imports, types included', {
  over: sources,
  rule: circles,
  planted: [[importing('runtime/a.ts', './b.ts'), importing('runtime/b.ts', './a.ts')]],
});
