/**
 * `node -r tidemark/preload <hub>`: the hub loads our bridges where it loads the two of its own,
 * and no file of it is changed.
 */
'use strict';
const Module = require('node:module');
const path = require('node:path');

/** The files of the hub's bridges, and what stands in for each. */
const ours = new Map([
  ['Ultravisor-QueuePersistenceBridge.cjs', 'QueuePersistenceBridge'],
  ['Ultravisor-ManifestStoreBridge.cjs', 'ManifestStoreBridge'],
]);

// The one way in that Node 20 to 24 have in common; a hub of CommonJS modules goes through it.
/* oxlint-disable no-underscore-dangle -- Node's own name */
const load = Module._load;
Module._load = function loadOrReplace(request, ...rest) {
  const name = ours.get(path.basename(String(request)));
  return name === undefined ? load.call(this, request, ...rest) : require('./bridges.cjs')[name];
};
