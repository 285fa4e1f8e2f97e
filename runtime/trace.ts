/**
 * W3C trace context, and spans through OpenTelemetry's API: whoever starts the process with an SDK
 * gets them, for everybody else they are nothing.
 *
 * Constraint: the context goes through either way. What others send is a hint: one that is not as
 * the standard says is as good as none.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type Attributes,
  createTraceState,
  isSpanContextValid,
  ProxyTracerProvider,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  type SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
} from '@opentelemetry/api';
import type { HeaderReader } from '../contracts/codec.ts';
import { limits } from '../contracts/limits.ts';
import { toRefusal } from '../contracts/errors.ts';
import { newUuid } from './clock.ts';

/**
 * Contexts of the writes in a delivery of several, blank between: the standard has no header for
 * links.
 */
const linksHeader = 'Tidemark-Trace-Links';

const parentShape = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
/** Flags that the first version of the standard knows. */
const knownFlags = TraceFlags.SAMPLED;

const tracerName = 'tidemark';
const nothing: Reception = { keep: null, isRecorded: false, end: () => undefined };
const carried = new AsyncLocalStorage<Record<string, string>>();

/** What a traceparent says; null for one that is not as the standard says. */
function parse(traceparent: string): SpanContext | null {
  if (traceparent.length > limits.traceParentCharsMax) return null;
  const [, version, traceId = '', spanId = '', flags = '', more] =
    parentShape.exec(traceparent) ?? [];
  // Later versions may say more at the end; this one may not.
  if (version === undefined || version === 'ff' || (version === '00' && more !== undefined))
    return null;
  const found = {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags, 16) & knownFlags,
    isRemote: true,
  };
  return isSpanContextValid(found) ? found : null;
}

function parentOf({ traceId, spanId, traceFlags }: SpanContext): string {
  return `00-${traceId}-${spanId}-${(traceFlags & knownFlags).toString(16).padStart(2, '0')}`;
}

/** A context as one text: traceparent, and behind a line feed tracestate where there is one. */
function textOf(found: SpanContext): string {
  const state = found.traceState?.serialize() ?? '';
  return state === '' ? parentOf(found) : `${parentOf(found)}\n${state}`;
}

function contextOf(parent: string, state: string): SpanContext | null {
  const found = parse(parent);
  if (!found || state === '' || state.length > limits.traceStateCharsMax) return found;
  const traceState = createTraceState(state);
  return traceState.serialize() === '' ? found : { ...found, traceState };
}

function contextIn(text: string): SpanContext | null {
  const [parent = '', state = ''] = text.split('\n', 2);
  return contextOf(parent, state);
}

/** The context in headers as one text, or null. */
export function traceIn(headers: HeaderReader | undefined): string | null {
  const parent = headers?.get('traceparent') || headers?.get('Traceparent');
  if (!parent) return null;
  const found = contextOf(parent, headers?.get('tracestate') || headers?.get('Tracestate') || '');
  return found && textOf(found);
}

/** A context from a file or from headers as this program writes it; null for what is none. */
export function validTrace(text: unknown): string | null {
  const found = typeof text === 'string' ? contextIn(text) : null;
  return found && textOf(found);
}

function headersOf(found: SpanContext): Record<string, string> {
  const state = found.traceState?.serialize() ?? '';
  return { traceparent: parentOf(found), ...(state === '' ? {} : { tracestate: state }) };
}

/** Headers for what is sent from here. */
export function traceHeaders(): Record<string, string> {
  return carried.getStore() ?? {};
}

/** Contexts in the links header, those that are valid. */
export function linksIn(headers: HeaderReader | undefined): string[] {
  const text = headers?.get(linksHeader) ?? '';
  if (text === '' || text.length > limits.traceLinksSentMax * limits.traceParentCharsMax) return [];
  return text
    .split(' ')
    .slice(0, limits.traceLinksSentMax)
    .flatMap((one) => validTrace(one) ?? []);
}

export type SpanSpec = { name: string; kind: SpanKind; attributes: Attributes };

/** Whether an SDK is there. It may come at any time, or be another copy of the API's. */
function isRecorded(): boolean {
  const provider = trace.getTracerProvider();
  return (
    !(provider instanceof ProxyTracerProvider) ||
    provider.getDelegateTracer(tracerName) !== undefined
  );
}

/** A span below the one context there is, or of its own with links to several. */
function startSpan(
  { name, kind, attributes }: SpanSpec,
  parent: SpanContext | null,
  links: readonly SpanContext[],
): Span {
  const options = {
    kind,
    attributes,
    ...(links.length > 0 ? { links: links.map((context) => ({ context })) } : {}),
  };
  // Asked for each time: an SDK that brings its own copy of the API may come after us.
  return trace
    .getTracer(tracerName)
    .startSpan(name, options, parent ? trace.setSpanContext(ROOT_CONTEXT, parent) : ROOT_CONTEXT);
}

/** Ends a span with what became of the work. */
function ended(span: Span, error?: unknown): void {
  if (error !== undefined) {
    const { Code, Reason } = toRefusal(error);
    span.setAttribute('error.type', Code);
    span.setStatus({ code: SpanStatusCode.ERROR, message: Reason });
  }
  span.end();
}

/**
 * What came with a message. `keep` is the context to be kept with what it brought: that of the span
 * about it, or else its own.
 */
export type Reception = {
  readonly keep: string | null;
  readonly isRecorded: boolean;
  end(error?: unknown): void;
};

/** A span about taking a message in, below the context it came with. `links` are of those in it. */
export function receive(
  spec: () => SpanSpec,
  came: string | null,
  links: readonly string[] = [],
): Reception {
  // Asked for every write: where nothing is recorded it costs nothing.
  if (!isRecorded()) return came === null ? nothing : { ...nothing, keep: came };
  const parent = came === null ? null : contextIn(came);
  const span = startSpan(
    spec(),
    parent,
    links.flatMap((text) => contextIn(text) ?? []),
  );
  const own = span.spanContext();
  // Without a request's own context only what is recorded is worth keeping.
  const isKept =
    isSpanContextValid(own) && (parent !== null || (own.traceFlags & TraceFlags.SAMPLED) !== 0);
  return {
    keep: isKept ? textOf(own) : null,
    isRecorded: true,
    end: (error) => ended(span, error),
  };
}

/**
 * Runs what sends, with a span about it and its context in `traceHeaders`. One context of those
 * that are sent is continued; several are linked by a span of its own, and told in a header beside
 * it.
 */
export async function send<T>(
  spec: SpanSpec,
  traces: Iterable<string>,
  work: () => Promise<T>,
): Promise<T> {
  const contexts = [...new Set(traces)]
    .slice(0, limits.traceLinksMax)
    .flatMap((text) => contextIn(text) ?? []);
  const [only = null] = contexts;
  const isOne = contexts.length === 1;
  const span = startSpan(spec, isOne ? only : null, isOne ? [] : contexts);
  const own = span.spanContext();
  const headers = isSpanContextValid(own)
    ? headersOf(own)
    : isOne || !only
      ? {}
      : headersOf(unrecorded(contexts));
  if (contexts.length > 1)
    headers[linksHeader] = contexts.slice(0, limits.traceLinksSentMax).map(parentOf).join(' ');
  try {
    const result = await carried.run(headers, work);
    ended(span);
    return result;
  } catch (error) {
    ended(span, error);
    throw error;
  }
}

/**
 * A context for a delivery of several where nothing records spans here: whoever takes it may, if
 * the sender of one of them does.
 */
function unrecorded(contexts: readonly SpanContext[]): SpanContext {
  const hex = () => newUuid().replaceAll('-', '');
  return {
    traceId: hex(),
    spanId: hex().slice(0, 16),
    traceFlags: contexts.reduce((flags, one) => flags | one.traceFlags, 0),
  };
}
