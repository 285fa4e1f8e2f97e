/** Verbs that send recorded calls: publishing a trace, and the demonstration. */
import { Option } from 'commander';
import { runDemo } from '../demo/demo.ts';
import { publish } from '../publish/publish.ts';
import { print, printJson, say } from '../terminal/output.ts';
import { onStopSignals } from '../terminal/signals.ts';
import { stderrOut } from '../terminal/writer.ts';
import { countFrom, type VerbCall, type VerbSpec } from '../verb.ts';

export const traceVerbs: readonly VerbSpec[] = [
  {
    name: 'publish',
    summary: 'send recorded bridge calls as domain actions',
    topic: 'run',
    examples: [
      'publish examples/demo-queue.jsonl',
      'publish queue.jsonl.gz manifests.jsonl.gz --batch 100 --rate 500',
    ],
    args: [['<trace...>', 'trace files, .jsonl or .jsonl.gz']],
    options: [
      new Option('--concurrency <n>', 'calls in flight at once')
        .default(256)
        .argParser(countFrom(1)),
      new Option('--batch <n>', 'writes per request').default(1).argParser(countFrom(1)),
      new Option('--rate <n>', 'at most this many calls per second; 0 for no limit')
        .default(0)
        .argParser(countFrom(0)),
      new Option(
        '--jetstream',
        "send writes one-way into the hub's stream; its acknowledgement counts as accepted",
      ),
      new Option(
        '--give-up <seconds>',
        'give up on a call without an answer for this long; 0 for never',
      )
        .default(0)
        .argParser(countFrom(0)),
    ],
    notes:
      'Calls of one work item or run are sent one at a time, in file order. ' +
      'Publishing a file again sends only duplicates.\nWaits half a minute for a missing bus ' +
      '(or --give-up), and without limit for one that goes away later.',
    run: runPublish,
  },
  {
    name: 'demo',
    summary: 'start everything, kill the databeacon midway, and prove that nothing is lost',
    topic: 'run',
    run: demo,
    examples: ['demo', 'demo --json'],
    notes:
      'Runs in a temporary folder on free ports, asks nothing and cleans up afterwards. Exit 1 when a proof fails.',
  },
];

async function runPublish({ config, flags, args }: VerbCall): Promise<number> {
  const stopping = onStopSignals();
  stopping.kill.addEventListener('abort', () => process.exit(1));
  const summary = await publish({
    files: args,
    bus: { ...config.bus, name: 'tidemark-publish' },
    hub: config.hub,
    concurrency: flags['concurrency'] as number,
    batch: flags['batch'] as number,
    rate: flags['rate'] as number,
    giveUpMs: (flags['giveUp'] as number) * 1_000,
    isOneWay: flags['jetstream'] === true,
    signal: stopping.stop,
    out: stderrOut(),
  });
  print(JSON.stringify(summary));
  return summary.Refused === 0 && !stopping.stop.aborted ? 0 : 1;
}

async function demo({ config, isJson }: VerbCall): Promise<never> {
  const stopping = onStopSignals();
  // Our child processes end with us; the temporary folder is left to the system.
  stopping.kill.addEventListener('abort', () => process.exit(1));
  const proofs = await runDemo({ config, say: isJson ? say : print, stop: stopping.stop });
  if (isJson) printJson(proofs);
  return process.exit(proofs.every((proof) => proof.isOk) ? 0 : 1);
}
