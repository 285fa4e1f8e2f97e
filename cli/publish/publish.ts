/**
 * `publish`: sends recorded bridge calls as domain actions to a hub's worker until every write is
 * answered.
 */
import { TidemarkError } from '../../contracts/errors.ts';
import { createLog } from '../../runtime/log.ts';
import { Bus } from '../../runtime/bus/bus.ts';
import type { BusOptions } from '../../runtime/bus/bus-login.ts';
import { type Clock, systemClock } from '../../runtime/clock.ts';
import { Counts, type Summary } from './counts.ts';
import { type Out, overwriting, safe } from '../terminal/writer.ts';
import { Delivery } from './delivery.ts';
import { TraceReader } from './trace-call.ts';
import { checkTrace, readTrace } from './trace-file.ts';

/** How often to show progress: on a terminal, and in a file. */
const terminalEveryMs = 200;
const fileEveryMs = 2_000;
/** A bus started at the same time as us is up within this time. */
const firstConnectMs = 30_000;
const connectAgainMs = 250;

export type PublishOptions = {
  files: readonly string[];
  bus: BusOptions;
  hub: string;
  concurrency: number;
  batch: number;
  /** Maximum items sent per second; 0 for no limit. */
  rate: number;
  giveUpMs: number;
  /** Send writes one-way into the hub's JetStream stream. */
  isOneWay: boolean;
  signal: AbortSignal;
  /** Where progress and refusals are written. */
  out: Pick<Out, 'isTerminal' | 'write'>;
  /** Selects the lines of a file to send; all of them when omitted. */
  lines?: (number: number, path: string) => boolean;
};

/**
 * Publishes the files in parallel, each in its own order per key.
 * @throws TidemarkError NOT_THERE for a missing file, before anything is sent; UNREACHABLE when a
 * call or the bus was given up
 */
export async function publish(options: PublishOptions): Promise<Summary> {
  for (const path of options.files) checkTrace(path);
  const { out, signal } = options;
  const counts = new Counts(systemClock, (line) =>
    out.write(out.isTerminal ? overwriting(`${line}\n`) : safe(`${line}\n`)),
  );
  const bus = await firstConnect(options);
  if (!bus) return counts.summary;
  const stopProgress = showProgress(counts, out);
  const { hub, batch, giveUpMs, isOneWay } = options;
  const concurrency = Math.max(options.concurrency, batch > 1 ? 2 * batch : 1);
  const delivery = new Delivery({
    bus,
    hub,
    counts,
    signal,
    concurrency,
    batch,
    giveUpMs,
    isOneWay,
  });
  const pace = newPace(systemClock, options.rate, signal);
  try {
    await Promise.all(options.files.map((path) => pump(path, { delivery, counts, pace, options })));
    await delivery.finish();
  } finally {
    stopProgress();
    await bus.close();
  }
  return counts.summary;
}

/**
 * Connects, waiting only a while: the bus may be starting, or the URL may be wrong. Null when asked
 * to stop.
 * @throws TidemarkError UNREACHABLE
 */
async function firstConnect({ bus, giveUpMs, signal, out }: PublishOptions): Promise<Bus | null> {
  const untilMs = systemClock.monotonicMs() + (giveUpMs > 0 ? giveUpMs : firstConnectMs);
  for (let tries = 0; !signal.aborted; tries++) {
    try {
      return await Bus.connect({ ...bus, waitForServer: false }, createLog('publish', 'warn'));
    } catch (error) {
      if (
        !(error instanceof TidemarkError) ||
        error.code !== 'UNREACHABLE' ||
        systemClock.monotonicMs() >= untilMs
      )
        throw error;
      if (tries === 0)
        out.write(
          `${error.message} (retrying for ${Math.round((untilMs - systemClock.monotonicMs()) / 1000)} s)\n`,
        );
      await systemClock.sleep(connectAgainMs, signal);
    }
  }
  return null;
}

type Pump = {
  delivery: Delivery;
  counts: Counts;
  pace: () => Promise<void>;
  options: PublishOptions;
};

async function pump(path: string, { delivery, counts, pace, options }: Pump): Promise<void> {
  const reader = new TraceReader(path);
  for await (const line of readTrace(path)) {
    if (options.signal.aborted) return;
    if (options.lines && !options.lines(line.number, path)) continue;
    const item = reader.read(line);
    if ('skipped' in item) {
      if (item.skipped === 'unreadable') counts.unreadable += 1;
      else counts.skipped += 1;
      continue;
    }
    await pace();
    await delivery.add(item);
  }
}

/** Paces to `rate` items per second, evenly. After a pause it does not catch up with a burst. */
function newPace(clock: Clock, rate: number, signal: AbortSignal): () => Promise<void> {
  if (rate <= 0) return () => Promise.resolve();
  let nextMs = clock.monotonicMs();
  return async () => {
    const nowMs = clock.monotonicMs();
    nextMs = Math.max(nextMs, nowMs - 100) + 1_000 / rate;
    if (nextMs - nowMs > 1) await clock.sleep(nextMs - nowMs, signal);
  };
}

function showProgress(counts: Counts, out: PublishOptions['out']): () => void {
  const show = () =>
    out.write(out.isTerminal ? overwriting(counts.progress) : `${counts.progress}\n`);
  const cancel = systemClock.every(out.isTerminal ? terminalEveryMs : fileEveryMs, show);
  return () => {
    cancel();
    out.write(`${out.isTerminal ? overwriting(counts.progress) : counts.progress}\n`);
  };
}
