/**
 * Writes docs/openapi.json from the schemas that check the calls, for readers without a running
 * worker. Run it with `npm run openapi`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openApiDocument } from '../worker/http/openapi.ts';

const root = join(import.meta.dirname, '..');

export const openApiPath = join(root, 'docs', 'openapi.json');

/** The document, including the final newline. */
export function openApiText(): string {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    version: string;
  };
  return `${JSON.stringify(openApiDocument(version), null, 2)}\n`;
}

if (import.meta.main) writeFileSync(openApiPath, openApiText());
