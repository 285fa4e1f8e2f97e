/**
 * Reads the sources as text, for the rules of style: files, imports, functions, and code without
 * its strings and comments.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

export const root = join(import.meta.dirname, '..', '..');

export type Import = { from: string; isTypeOnly: boolean };
export type Source = {
  /** Path from the root, with forward slashes. */
  path: string;
  /** First part of the path. */
  folder: string;
  text: string;
  /** The text with strings, comments and regular expressions blanked; lines stay where they are. */
  code: string;
  imports: Import[];
};

/** All sources under these folders, plus named files. */
export function readSources(folders: readonly string[], files: readonly string[]): Source[] {
  const paths = folders.flatMap((folder) => {
    const path = join(root, folder);
    if (!existsSync(path)) return [];
    return readdirSync(path, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && /\.(?:ts|js|cjs)$/.test(entry.name))
      .map((entry) => relative(root, join(entry.parentPath, entry.name)));
  });
  return [...paths, ...files.filter((file) => existsSync(join(root, file)))]
    .toSorted()
    .map((path) => sourceOf(path, readFileSync(join(root, path), 'utf8')));
}

export function sourceOf(path: string, text: string): Source {
  return {
    path,
    folder: path.split('/')[0] ?? '',
    text,
    code: blanked(text),
    imports: importsOf(text),
  };
}

/** Import and re-export statements; a dynamic import counts too. */
function importsOf(text: string): Import[] {
  const found: Import[] = [];
  const statement = /^(?:import|export)\s+(type\s)?(?:[^'";()]*?\sfrom\s+)?'([^']+)'/gm;
  for (const [all, type, from = ''] of text.matchAll(statement)) {
    const names =
      /\{([^}]*)\}/
        .exec(all)?.[1]
        ?.split(',')
        .map((name) => name.trim())
        .filter((name) => name !== '') ?? [];
    const isOnlyTypes =
      names.length > 0 &&
      /^(import|export)\s*\{/.test(all) &&
      names.every((name) => name.startsWith('type '));
    found.push({ from, isTypeOnly: type !== undefined || isOnlyTypes });
  }
  for (const [, from = ''] of text.matchAll(/\bimport\('([^']+)'\)/g))
    found.push({ from, isTypeOnly: false });
  return found;
}

/** Where a relative import leads, as a path from the root. */
export function targetOf(source: Source, from: string): string {
  return relative(root, join(root, dirname(source.path), from));
}

const blanks: readonly RegExp[] = [
  /\/\*[\s\S]*?\*\//y,
  /\/\/[^\n]*/y,
  /'(?:[^'\\\n]|\\.)*'/y,
  /"(?:[^"\\\n]|\\.)*"/y,
];
const pattern = /\/(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y;

function blanked(text: string): string {
  let out = '';
  for (let at = 0; at < text.length;) {
    // A slash starts a pattern where no value can stand before it.
    const candidates = /(?:^|[=(,:[!&|?{};\n]|return)\s*$/.test(out.slice(-12))
      ? [...blanks, pattern]
      : blanks;
    const piece =
      text[at] === '`'
        ? text.slice(at, endOfTemplate(text, at))
        : candidates.map((one) => matchAt(one, text, at)).find((match) => match !== '');
    if (piece === undefined) out += text[at++];
    else {
      out += piece.replace(/[^\n]/g, ' ');
      at += piece.length;
    }
  }
  return out;
}

/** Behind the template that begins at `at`, with the templates within its expressions. */
function endOfTemplate(text: string, at: number): number {
  let next = at + 1;
  let depth = 0;
  while (next < text.length && (depth > 0 || text[next] !== '`')) {
    if (text[next] === '\\') next += 2;
    else if (text[next] === '`') next = endOfTemplate(text, next);
    else {
      if (text.startsWith('${', next) || (depth > 0 && text[next] === '{')) depth += 1;
      if (depth > 0 && text[next] === '}') depth -= 1;
      next += text.startsWith('${', next) ? 2 : 1;
    }
  }
  return next + 1;
}

function matchAt(expression: RegExp, text: string, at: number): string {
  expression.lastIndex = at;
  return expression.exec(text)?.[0] ?? '';
}

export type Block = { header: string; line: number; lines: number; body: string };

/** Every pair of braces with the text before it, since the last brace or semicolon. */
export function blocksOf(code: string): Block[] {
  const open: { header: string; line: number; at: number }[] = [];
  const found: Block[] = [];
  let line = 1;
  let headerAt = 0;
  for (let at = 0; at < code.length; at++) {
    const char = code[at];
    if (char === '\n') line += 1;
    if (char === '{') open.push({ header: code.slice(headerAt, at).trim(), line, at });
    if (char === '}') {
      const block = open.pop();
      if (block)
        found.push({
          header: block.header,
          line: block.line,
          lines: line - block.line + 1,
          body: code.slice(block.at + 1, at),
        });
    }
    if (char === '{' || char === '}' || char === ';') headerAt = at + 1;
  }
  return found;
}

const statement = /^\}?\s*(?:if|else|for|while|switch|catch|do|try|finally)\b/;
const declaration = /^(?:export\s+)?(?:abstract\s+)?(?:class|interface|type|import|enum)\b/;

/** True for the braces around a function's body. */
export function isFunction({ header, body }: Block): boolean {
  // A function that registers tests is a list of them, each a function of its own.
  if (/^\s*test(?:\.\w+)?[(<]/m.test(body)) return false;
  if (/=>\s*$/.test(header)) return true;
  if (statement.test(header) || declaration.test(header)) return false;
  return /\)\s*(?::[^=;]+)?$/.test(header);
}
