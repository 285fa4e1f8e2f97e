/** The one suite every engine must pass unchanged. */
import { afterAll, beforeAll, describe } from 'vitest';
import { accessSuite } from './suites/access-suite.ts';
import { applySuite } from './suites/apply-suite.ts';
import { type BackendName, backends } from './backends.ts';
import { Shared } from './desk.ts';
import { endpointsSuite } from './suites/endpoints-suite.ts';
import { equalSuite } from './suites/equal-suite.ts';
import { incumbentSuite } from './suites/incumbent-suite.ts';
import { lanesSuite } from './suites/lanes-suite.ts';
import { outageSuite } from './suites/outage-suite.ts';
import { processSuite } from './suites/process-suite.ts';
import { schemaSuite } from './suites/schema-suite.ts';
import { valuesSuite } from './suites/values-suite.ts';

/** Runs all of it on one kind of database, with one server for all. */
export function conformance(name: BackendName): void {
  const isServer = name === 'postgresql' || name === 'mysql';
  describe(`on ${name}`, () => {
    let shared: Shared | undefined;
    const on = (): Shared => {
      if (!shared) throw new Error('the backend is not there');
      return shared;
    };
    beforeAll(async () => {
      shared = await Shared.start(backends[name]);
    }, 90_000);
    afterAll(() => shared?.[Symbol.asyncDispose]());
    // First: they kill the server, and its recovery goes through every database there is.
    outageSuite(on, name === 'mssql' ? 'given' : isServer ? 'server' : 'file');
    processSuite(on, isServer);
    // SQLite has one writer whatever we do.
    describe.for(name === 'sqlite' ? [] : ['several hubs'])('%s', () => {
      lanesSuite(on);
    });
    describe('Apply', () => {
      applySuite(on);
    });
    valuesSuite(on);
    describe('EnsureSchema', () => {
      schemaSuite(on);
    });
    incumbentSuite(on);
    endpointsSuite(on);
    equalSuite(on);
    accessSuite(on);
  });
}
