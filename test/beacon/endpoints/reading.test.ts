/** Whether a call reads or writes is told by its route, for every gate, however its path is written. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isReading } from '../../../beacon/endpoints/table-routes.ts';
import { B, startEnabled } from '../../kit/beacon/proxy-kit.ts';

const disguised: readonly (readonly [method: string, path: string])[] = [
  ['POST', `${B}?/Schema/Validate`],
  ['POST', `${B}?x=/Schema/Validate`],
  ['POST', `${B}s?/Schema/Validate`],
  ['POST', `${B}/?/Schema/Validate`],
  ['POST', `${B}%3F/Schema/Validate`],
  ['POST', `${B};/Schema/Validate`],
  ['POST', `${B}%3B/Schema/Validate`],
  ['POST', `${B}#/Schema/Validate`],
  ['POST', `${B}%23/Schema/Validate`],
  ['POST', `${B}//Schema/Validate`],
  ['POST', `${B}%2FSchema/Validate`],
  ['POST', `${B}/x/../Schema/Validate`],
  ['POST', `${B}/schema/validate`],
  ['POST', `${B}/Schema/Validate/x`],
  ['PUT', `${B}/Schema/Validate`],
  ['PATCH', `${B}/Schema/Validate`],
  ['DELETE', `${B}/Schema/Validate`],
  ['post', `${B}/Schema/Validate`],
  ['OPTIONS', `${B}s`],
  ['TRACE', `${B}s`],
  ['GET', `${B}/Undelete/1`],
  ['HEAD', `${B}/Undelete/1`],
  ['GET', `${B}/Undelete/1/`],
  ['GET', `${B}/Undelete/1?x`],
  ['GET', `${B}/%55ndelete/1`],
  ['GET', `${B}/%2555ndelete/1`],
  ['GET', `${B}%2FUndelete/1`],
  ['GET', `${B}/undelete/1`],
  ['GET', `${B}//Undelete/1`],
  ['GET', `${B}/./Undelete/1`],
  ['GET', `${B}%3F/Undelete/1`],
  ['GET', `${B};x/Undelete/1`],
  ['GET', `${B}\\Undelete\\1`],
];

const words = [
  ...'/ // ? %3F %2F ; # . .. s Select 1 2 x'.split(' '),
  ...'Schema Validate /Schema/Validate Undelete /Undelete/2 Upsert Upserts'.split(' '),
];

describe('I14: a path cannot be written so that a write passes for a read', () => {
  test.each(disguised)('%s %s', (method, path) => {
    expect(isReading(method, path)).toBe(false);
  });

  test.each([
    ['POST', `${B}/Schema/Validate`],
    ['POST', `${B}/Schema/Validate/`],
    ['POST', `${B}/Schema/Validate?x=1`],
    ['GET', `${B}/1`],
    ['HEAD', `${B}s`],
    ['GET', `${B}s/FilteredTo/FBV~Status~EQ~Undelete`],
    ['GET', `${B}s/By/Status/Undelete`],
    ['GET', `${B}/%zz`],
    ['GET', `${B}s?/Undelete/1`],
  ])('%s %s reads', (method, path) => {
    expect(isReading(method, path)).toBe(true);
  });

  test('of what counts as reading no row changes, with any words, marks and methods', async () => {
    const { proxy, call } = await startEnabled();
    await call('POST', B, { HubID: 'h', WorkItemHash: 'a' });
    await call('POST', B, { HubID: 'h', WorkItemHash: 'gone' });
    await call('DELETE', `${B}/2`);
    await proxy.updateConfig({ AllowWrites: false });
    const rows = async () => (await call('GET', `${B}s/FilteredTo/FBV~Deleted~GE~0`)).body;
    const before = await rows();
    const word = fc.constantFrom(...words);
    const method = fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS');
    await fc.assert(
      fc.asyncProperty(method, fc.array(word, { maxLength: 6 }), async (verb, words) => {
        await proxy
          .request(
            { Method: verb, Path: B + words.join(''), Body: '{"HubID":"h","WorkItemHash":"b"}' },
            5_000,
          )
          .catch(() => undefined);
        expect(await rows()).toEqual(before);
      }),
      { numRuns: 400 },
    );
  });
});
