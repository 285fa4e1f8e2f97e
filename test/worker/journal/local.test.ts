/** A journal belongs to the hub it was made for. */
import { expect, test } from 'vitest';
import { openLocal } from '../../../worker/journal/local.ts';
import { openStore } from '../../../worker/state/open/open-store.ts';
import { tempDir } from '../../kit/temp-dir.ts';

test('local state — a data directory is not taken for another hub, whose rows its entries would become', () => {
  using dir = tempDir('local');
  const store = openStore(dir.at('data'));
  openLocal(store, 'hub1');
  openLocal(store, 'hub1');
  expect(() => openLocal(store, 'hub2')).toThrow(/holds the journal of hub hub1/);
  store.close();
});
