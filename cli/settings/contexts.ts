/**
 * Contexts of the `nats` command line: a name for a bus and how to log in to it, in
 * `~/.config/nats/context/<name>.json`.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import { isJsonObject } from '../../contracts/body/json-value.ts';

/** Settings of ours that a context may hold, by the name they have there. */
const settingOf = {
  url: 'nats',
  token: 'natsToken',
  user: 'user',
  password: 'password',
  creds: 'creds',
  nkey: 'nkey',
  cert: 'cert',
  key: 'key',
  ca: 'ca',
} as const;
const paths: ReadonlySet<string> = new Set(['creds', 'nkey', 'cert', 'key', 'ca']);
/**
 * Ways to log in or to connect that are not ours; without them the bus would be another, or refuse
 * us.
 */
const unspoken = ['nsc', 'user_jwt', 'user_seed', 'socks_proxy', 'tls_first'];

export type ContextSettings = Partial<Record<(typeof settingOf)[keyof typeof settingOf], string>>;

/**
 * Those that count more than the environment, for a flag names the context, and those that count
 * less.
 * @throws TidemarkError CONFIG_INVALID, without telling what a file holds
 */
export function contextsOf(
  flag: string | undefined,
  environment: NodeJS.ProcessEnv,
  file: string | undefined,
): { named: ContextSettings; standing: ContextSettings } {
  if (flag !== undefined) return { named: readContext(flag, environment), standing: {} };
  const standing = environment['NATS_CONTEXT'] || file;
  return { named: {}, standing: standing === undefined ? {} : readContext(standing, environment) };
}

/** What a context says. @throws TidemarkError CONFIG_INVALID, without telling what it holds */
function readContext(name: string, environment: NodeJS.ProcessEnv): ContextSettings {
  if (!/^[^/\\]+$/.test(name) || name.startsWith('.'))
    throw invalid(`context ${JSON.stringify(name)} is no name of one`);
  const home = environment['HOME'] ?? '';
  const path = join(
    environment['XDG_CONFIG_HOME'] || join(home, '.config'),
    'nats',
    'context',
    `${name}.json`,
  );
  if (!existsSync(path))
    throw invalid(`context ${name}: there is no file ${path}; see: nats context ls`);
  const content = readSettingsFile(path);
  const wrong = unspoken.find(
    (key) => content[key] !== undefined && content[key] !== '' && content[key] !== false,
  );
  if (wrong !== undefined)
    throw invalid(
      `${path}: ${wrong} is not spoken here; use creds, nkey, token, or user and password`,
    );
  const settings: ContextSettings = {};
  for (const [key, setting] of Object.entries(settingOf)) {
    const value = content[key];
    if (value === undefined || value === '') continue;
    if (typeof value !== 'string') throw invalid(`${path}: ${key}: expected text`);
    settings[setting] = paths.has(key) ? value.replace(/^~(?=\/)/, home) : value;
  }
  return settings;
}

/** Of a file of settings. @throws TidemarkError CONFIG_INVALID */
export function readSettingsFile(path: string): Record<string, unknown> {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    // What a parser quotes may be a password.
    throw invalid(`${path}: ${cause instanceof SyntaxError ? 'is no JSON' : messageOf(cause)}`);
  }
  if (!isJsonObject(content)) throw invalid(`${path}: expected an object`);
  return content;
}

function invalid(message: string): TidemarkError {
  return new TidemarkError('CONFIG_INVALID', message);
}
