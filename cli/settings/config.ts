/**
 * The settings of the command line, in order of precedence: flags, environment, `tidemark.json`, an
 * `up` running on the data directory, defaults. The only reader of process.env in the worker.
 */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { TidemarkError } from '../../contracts/errors.ts';
import { isSubjectToken } from '../../contracts/subjects.ts';
import type { BusOptions } from '../../runtime/bus/bus-login.ts';
import { serviceManagerPlace, type ServiceManagerPlace } from '../../runtime/service-manager.ts';
import type { MaintenanceSettings } from '../../worker/upkeep/maintenance.ts';
import type { KeepBounds } from '../../worker/upkeep/keep-bounds.ts';
import type { CapacityBounds } from '../../worker/intake/pressure.ts';
import type { HttpSettings } from '../../runtime/http/http-access.ts';
import { busOf, loginVariables } from './bus-settings.ts';
import { storeSettings } from './keep.ts';
import { httpSettings, operatorToken } from './http-settings.ts';
import { opsSettings } from './ops-settings.ts';
import {
  defaults,
  type Flags,
  saidOf,
  type Setting,
  type SettingName,
  settingsOf,
  settingsOfUp,
  sources,
  type Value,
  variables,
} from './settings.ts';

const logLevels = ['debug', 'info', 'warn', 'error', 'silent'];

export type CliConfig = {
  bus: Omit<BusOptions, 'name'>;
  /** The bus was given, not found or assumed. */
  isBusNamed: boolean;
  hub: string;
  /** An absolute path. */
  data: string;
  isDataNamed: boolean;
  http: string;
  /** Address of a databeacon's HTTP; off unless set. */
  beaconHttp: string | undefined;
  token: string | null;
  /** More tokens, host names and the certificate of the HTTP interface. */
  access: HttpSettings;
  intake: 'none' | 'jetstream';
  logLevel: string;
  bounds: CapacityBounds;
  keep: KeepBounds;
  /** Where operations are, and which are skipped. */
  ops: MaintenanceSettings;
  /** Allows a data directory on a file system where writes may not last or locks may not hold. */
  isAnyFileSystem: boolean;
  /** Also accepts beacons and workers from before subjects named the hub. */
  acceptsUnscoped: boolean;
  /** Serves the hub whoever served it before. */
  takesOver: boolean;
  /** Ending a process there only gets it started again. */
  isInKubernetes: boolean;
  /** A given nats-server binary, and the folders to search for one. */
  natsServer: string | undefined;
  path: string;
  /** The service manager to notify; null when there is none. */
  serviceManager: ServiceManagerPlace | null;
  /** For child processes: our environment, and the login to the bus. */
  environment: NodeJS.ProcessEnv;
};

/**
 * Loaded once per verb, and frozen.
 * @throws TidemarkError CONFIG_INVALID naming the flag, variable or key
 */
export function loadConfig(flags: Flags): CliConfig {
  return resolveConfig(flags, process.env);
}

export function resolveConfig(flags: Flags, environment: NodeJS.ProcessEnv): CliConfig {
  const found = sources(flags, environment);
  try {
    return resolved((name) => found(name)?.value, environment);
  } catch (error) {
    throw error instanceof TidemarkError ? saidOf(error, found) : error;
  }
}

/**
 * Every setting with its origin; secrets are masked.
 * @throws TidemarkError as `loadConfig`
 */
export function loadSettings(flags: Flags): Setting[] {
  return settingsOf(flags, process.env, resolveConfig(flags, process.env).data);
}

function resolved(value: Value, environment: NodeJS.ProcessEnv): CliConfig {
  const data = resolve(value('data') ?? defaults.data);
  if (isOther(data)) throw invalid(`data ${JSON.stringify(data)} is a file: name a folder`);
  const up = settingsOfUp(data);
  const hub = value('hub') ?? up.hub ?? defaults.hub;
  if (!isSubjectToken(hub))
    throw invalid(`hub ${JSON.stringify(hub)} is not 1 to 64 of A-Z, a-z, 0-9, _ and -`);
  const url = value('nats');
  const isOn = (name: 'anyFileSystem' | 'acceptUnscoped' | 'takeOver') =>
    choice(name, value(name) ?? '0', ['0', '1']) === '1';
  const isAnyFileSystem = isOn('anyFileSystem');
  const bus = busOf(url ?? up.nats ?? defaults.nats, value);
  return {
    bus,
    isBusNamed: url !== undefined,
    hub,
    data,
    isDataNamed: value('data') !== undefined,
    http: address('http', value('http') ?? defaults.http),
    beaconHttp: optional(value('beaconHttp'), (given) => address('beaconHttp', given)),
    token: operatorToken(value),
    access: httpSettings(value),
    intake: choice('intake', value('intake') ?? 'none', ['none', 'jetstream']) as
      | 'none'
      | 'jetstream',
    logLevel: choice('logLevel', value('logLevel') ?? 'info', logLevels),
    ...storeSettings(value),
    ops: opsSettings(value, environment, data),
    isAnyFileSystem,
    acceptsUnscoped: isOn('acceptUnscoped'),
    takesOver: isOn('takeOver'),
    isInKubernetes: Boolean(environment['KUBERNETES_SERVICE_HOST']),
    natsServer: value('natsServer'),
    path: environment['PATH'] ?? '',
    serviceManager: serviceManagerPlace(environment),
    environment: {
      ...environment,
      ...loginVariables(bus),
      // Said once: what a child takes over is not to be taken again by the next.
      [variables.takeOver]: undefined,
      ...(isAnyFileSystem ? { [variables.anyFileSystem]: '1' } : {}),
    },
  };
}

/** @throws TidemarkError CONFIG_INVALID for text that is not host:port */
function address(name: SettingName, given: string): string {
  const port = /^(?:\[[0-9a-f:.]+\]|[^:/\s]*):(\d{1,5})$/i.exec(given)?.[1];
  if (port !== undefined && Number(port) <= 65_535) return given;
  throw invalid(
    `${name} ${JSON.stringify(given)} is not an address: expected host:port, such as ` +
      (/^\d{1,5}$/.test(given) && Number(given) <= 65_535 ? `127.0.0.1:${given}` : defaults.http),
  );
}

function optional<T>(value: T | undefined, check: (value: T) => T): T | undefined {
  return value === undefined ? undefined : check(value);
}

function isOther(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === false;
}

function choice(name: string, value: string, allowed: readonly string[]): string {
  if (allowed.includes(value)) return value;
  throw invalid(`${name} ${JSON.stringify(value)} is none of ${allowed.join(', ')}`);
}

function invalid(message: string): TidemarkError {
  return new TidemarkError('CONFIG_INVALID', message);
}
