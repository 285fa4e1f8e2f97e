/**
 * A Dockerfile carried out without Docker: its stages' COPY and RUN steps in folders of their own,
 * as far as they do not touch the machine.
 */
import { execFile } from 'node:child_process';
import { cpSync, existsSync, globSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { promisify } from 'node:util';
import { Copy, DockerfileParser, type Instruction, JSONInstruction } from 'dockerfile-ast';

const run = promisify(execFile);

export type Step = { keyword: string; words: string[]; text: string; from: string | null };
export type Stage = { name: string; steps: Step[] };

export function stagesOf(path: string): Stage[] {
  const stages: Stage[] = [];
  for (const instruction of DockerfileParser.parse(readFileSync(path, 'utf8')).getInstructions()) {
    const step = stepOf(instruction);
    if (step.keyword === 'FROM') stages.push({ name: step.words[2] ?? '', steps: [] });
    else stages.at(-1)?.steps.push(step);
  }
  return stages;
}

function stepOf(instruction: Instruction): Step {
  const isJson = instruction instanceof JSONInstruction && instruction.getOpeningBracket() !== null;
  const words = isJson
    ? instruction.getJSONStrings().map((word) => JSON.parse(word.getValue()) as string)
    : instruction.getArguments().map((word) => word.getValue());
  const from = instruction instanceof Copy ? (instruction.getFromFlag()?.getValue() ?? null) : null;
  return {
    keyword: instruction.getKeyword().toUpperCase(),
    words,
    text: instruction.getArgumentsContent() ?? '',
    from,
  };
}

/** Values of ENV steps. */
export function environmentOf(stage: Stage): Record<string, string> {
  return Object.fromEntries(
    stage.steps
      .filter((step) => step.keyword === 'ENV')
      .flatMap(({ words }) =>
        words.map((word) => {
          const at = word.indexOf('=');
          return [word.slice(0, at), word.slice(at + 1)];
        }),
      ),
  );
}

export type Build = {
  /** The context the paths of COPY are in. */
  context: string;
  /** Where each stage's file system is, by name; the last has the name ''. */
  roots: Record<string, string>;
  env: NodeJS.ProcessEnv;
};

/**
 * Does the COPY steps of a stage and, where wanted, its RUN steps.
 * @throws Error for a file that is not there, or a command that fails
 */
export async function build(
  stage: Stage,
  { context, roots, env }: Build,
  isRunning: boolean,
): Promise<void> {
  const root = roots[stage.name] as string;
  let folder = '/';
  for (const step of stage.steps) {
    if (step.keyword === 'WORKDIR')
      mkdirSync(join(root, (folder = step.words[0] as string)), { recursive: true });
    if (step.keyword === 'COPY')
      copy(
        step,
        step.from === null ? context : (roots[step.from] as string),
        isAbsolute(step.words.at(-1) as string) ? root : join(root, folder),
      );
    if (step.keyword === 'RUN' && isRunning)
      await run('/bin/sh', ['-c', step.text], {
        cwd: join(root, folder),
        env: { ...env, ...environmentOf(stage) },
        maxBuffer: 64 * 1024 * 1024,
      });
  }
}

function copy({ words }: Step, source: string, folder: string): void {
  const into = join(folder, words.at(-1) as string);
  for (const word of words.slice(0, -1).filter((one) => !one.startsWith('--'))) {
    const found = globSync(word.replace(/^\//, ''), { cwd: source });
    if (found.length === 0) throw new Error(`COPY ${word}: there is no such file`);
    for (const name of found) {
      const from = join(source, name);
      const to =
        statSync(from).isDirectory() ||
        (!(words.at(-1) as string).endsWith('/') && !existsSync(into))
          ? into
          : join(into, basename(name));
      mkdirSync(dirname(to), { recursive: true });
      cpSync(from, to, { recursive: true, dereference: false, verbatimSymlinks: true });
    }
  }
}
