/**
 * Verbs about the settings: their values and origins, and whether a worker could start with them.
 */
import { loadSettings } from '../settings/config.ts';
import { print, printJson, table } from '../terminal/output.ts';
import { settingOptions } from './setting-options.ts';
import { assertUsable } from '../settings/usable.ts';
import type { VerbCall, VerbSpec } from '../verb.ts';

export const configVerbs: readonly VerbSpec[] = [
  {
    name: 'show',
    summary: 'every setting with its value and who set it; secrets are masked',
    run: show,
    options: settingOptions,
    alias: 'ls',
    examples: ['config show', 'config show --config /etc/tidemark.json --json'],
    notes:
      'Order: flag, environment, tidemark.json, bus and hub of an `up` on --data, default. ' +
      'The names are those of tidemark.json.',
  },
  {
    name: 'check',
    summary: 'whether a worker could start with these settings; starts nothing',
    run: check,
    options: settingOptions,
    examples: ['config check', 'config check --http 0.0.0.0:8390'],
    notes:
      'Exit 2 when it could not, with the first problem found. To check bus and ' +
      'databeacon too, use tidemark doctor.',
  },
];

function show({ flags, isJson }: VerbCall): void {
  const Settings = loadSettings(flags);
  if (isJson) return printJson({ Settings });
  print(
    table(
      ['setting', 'value', 'from'],
      Settings.map(({ Name, Value, Origin }) => [Name, Value, Origin]),
    ),
  );
}

/** Loading has checked each setting by itself; this checks what only shows when they are used. */
function check({ config, isJson }: VerbCall): number {
  const { data, http } = config;
  assertUsable(config);
  if (isJson)
    printJson({ Success: true, Hub: config.hub, Data: data, Http: http, Nats: config.bus.servers });
  else print(`sound: hub ${config.hub}, data ${data}, bus ${config.bus.servers}, http ${http}`);
  return 0;
}
