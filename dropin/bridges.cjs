/**
 * Loads the drop-in bridges with `require`: the build, for any Node from 20 on; in a checkout, the
 * sources, on a Node that runs TypeScript.
 */
'use strict';
const { existsSync } = require('node:fs');
const { join } = require('node:path');

const source = join(__dirname, 'bridges.ts');
const build = join(__dirname, '..', 'dist', 'cjs', 'dropin', 'bridges.js');

if (existsSync(source) && process.features.typescript) module.exports = require('./bridges.ts');
else if (existsSync(build)) module.exports = require(build);
else
  throw new Error(
    `tidemark/bridges is not built, and Node ${process.versions.node} does not run it ` +
      `from its sources: run "npm run build" in ${join(__dirname, '..')}`,
  );
