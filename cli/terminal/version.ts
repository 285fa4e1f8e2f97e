/** The version of this program, from the package's manifest. */
import { readFileSync } from 'node:fs';

/** The manifest is one folder above the sources, and two above the build output. */
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
