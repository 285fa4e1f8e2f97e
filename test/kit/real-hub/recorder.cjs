/**
 * Loaded into a hub behind the drop-in: writes down each call the hub makes of its bridges, before
 * it is made and after it has returned, so that what a signal cut in two is known.
 */
'use strict';
const { appendFileSync } = require('node:fs');
const { createRequire } = require('node:module');
const path = require('node:path');

const file = process.env.HUB_RECORDING;
const life = process.env.HUB_LIFE;
/** The package as the hub has it, not the checkout this file is in. */
const bridges = createRequire(path.join(process.cwd(), 'hub.js'))('tidemark/bridges');
const writes = {
  QueuePersistenceBridge: [
    'upsertWorkItem',
    'updateWorkItem',
    'appendEvent',
    'insertAttempt',
    'updateAttemptOutcome',
  ],
  ManifestStoreBridge: ['upsertManifest', 'removeManifest'],
};

let calls = 0;
const note = (line) => appendFileSync(file, `${JSON.stringify(line)}\n`);

for (const [name, methods] of Object.entries(writes)) {
  const { prototype } = bridges[name];
  for (const method of methods) {
    const call = prototype[method];
    prototype[method] = function recorded(...args) {
      const number = `${life}.${++calls}`;
      note({ number, method, args });
      const answer = call.apply(this, args);
      note({ returned: number });
      void answer.then(({ Success, Code, Reason }) => {
        if (!Success && Code !== 'UNAVAILABLE') note({ refused: number, Code, Reason });
      });
      return answer;
    };
  }
}
