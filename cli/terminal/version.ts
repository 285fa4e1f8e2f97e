/** Which version this is, by the package's own manifest. */
import { readFileSync } from 'node:fs';

/** The package's version: its manifest is one folder up from the sources, two from the build. */
export function packageVersion(): string {
  for (const at of ['../../package.json', '../../../package.json']) {
    try {
      return (JSON.parse(readFileSync(new URL(at, import.meta.url), 'utf8')) as { version: string })
        .version;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return '0.0.0';
}
