/**
 * What a run of the real hub needs: a checkout of it with its packages, a Node it runs on, and a
 * folder of its own with our packed package installed.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..', '..', '..');
const program = ['source', 'cli', 'Ultravisor-Run.cjs'];

/** How to get what is missing, in words for a person. */
export const howToGet = `This campaign runs the real coordinator, which is not part of this repository:
  git clone https://github.com/stevenvelozo/ultravisor && cd ultravisor
  npm install                    # packages that are in no registry come from the same owner's
                                 # repositories, as folders in node_modules
  npm install --no-save node@22  # the Node it runs on
then: npm run campaign:hub -- <that folder> [--node <node 22>] [--minutes 10] [--seed 1]`;

export type Checkout = {
  program: string;
  version: string;
  /** Path of a Node 22. */
  node: string;
};

/** @returns the checkout, or what it lacks */
export function checkoutOf(folder: string | undefined, node?: string): Checkout | string {
  if (folder === undefined) return 'no folder was given';
  const path = join(folder, ...program);
  if (!existsSync(path)) return `there is no ${path}`;
  if (!existsSync(join(folder, 'node_modules'))) return `${folder} has no node_modules`;
  const binary = node ?? join(folder, 'node_modules', 'node', 'bin', 'node');
  if (!existsSync(binary)) return `there is no Node at ${binary}`;
  const version = execFileSync(binary, ['-p', 'require("./package.json").version'], {
    cwd: folder,
    encoding: 'utf8',
  });
  return { program: path, version: version.trim(), node: binary };
}

/** Packs this checkout and installs the tarball, as a user of the hub does. */
export function installInto(folder: string): void {
  const quiet = { cwd: folder, stdio: 'pipe', encoding: 'utf8' } as const;
  execFileSync('npm', ['pack', '--silent', '--pack-destination', folder], { ...quiet, cwd: root });
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? '';
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'hub', private: true }));
  execFileSync('npm', ['install', '--no-audit', '--no-fund', tarball], quiet);
}
