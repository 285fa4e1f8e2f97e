/**
 * W3C trace context, and spans through OpenTelemetry's API. Spans are recorded only when the
 * process was started with an SDK; the context is propagated either way.
 *
 * Constraint: a trace context from outside is untrusted. One that violates the standard is ignored.
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
import type { HeaderReader } from '../contracts/body/codec.ts';
import { limits } from '../contracts/limits.ts';
import { toRefusal } from '../contracts/errors.ts';
import { newUuid } from './clock.ts';

/**
 * Contexts of the writes in one delivery, separated by blanks: the standard has no header for
 * links.
 */
const linksHeader = 'Tidemark-Trace-Links';

const parentShape = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
/** Flags defined by version 00 of the standard. */
const knownFlags = TraceFlags.SAMPLED;

const tracerName = 'tidemark';
const nothing: Reception = { keep: null, isRecorded: false, end: () => undefined };
const carried = new AsyncLocalStorage<Record<string, string>>();

/** Parses a traceparent; null when it violates the standard. */
function parse(traceparent: string): SpanContext | null {
  if (traceparent.length > limits.traceParentCharsMax) return null;
  const [, version, traceId = '', spanId = '', flags = '', more] =
    parentShape.exec(traceparent) ?? [];
  // Later versions may append fields; version 00 may not.
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

/** A context as text: traceparent, then, if there is one, a line feed and tracestate. */
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

/** The context in the headers as text, or null. */
export function traceIn(headers: HeaderReader | undefined): string | null {
  const parent = headers?.get('traceparent') || headers?.get('Traceparent');
  if (!parent) return null;
  const found = contextOf(parent, headers?.get('tracestate') || headers?.get('Tracestate') || '');
  return found && textOf(found);
}

/** Checks a context read from a file or from our own headers; null when it is invalid. */
export function validTrace(text: unknown): string | null {
  const found = typeof text === 'string' ? contextIn(text) : null;
  return found && textOf(found);
}

function headersOf(found: SpanContext): Record<string, string> {
  const state = found.traceState?.serialize() ?? '';
  return { traceparent: parentOf(found), ...(state === '' ? {} : { tracestate: state }) };
}

/** Trace headers for messages sent from the current span. */
export function traceHeaders(): Record<string, string> {
  return carried.getStore() ?? {};
}

/** The valid contexts in the links header. */
export function linksIn(headers: HeaderReader | undefined): string[] {
  const text = headers?.get(linksHeader) ?? '';
  if (text === '' || text.length > limits.traceLinksSentMax * limits.traceParentCharsMax) return [];
  return text
    .split(' ')
    .slice(0, limits.traceLinksSentMax)
    .flatMap((one) => validTrace(one) ?? []);
}

export type SpanSpec = { name: string; kind: SpanKind; attributes: Attributes };

/** Whether an SDK is registered. It may be registered late, or through another copy of the API. */
function isRecorded(): boolean {
  const provider = trace.getTracerProvider();
  return (
    !(provider instanceof ProxyTracerProvider) ||
    provider.getDelegateTracer(tracerName) !== undefined
  );
}

/** Starts a span under `parent`, or a root span, with links to other contexts. */
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
  // Looked up each time: an SDK with its own copy of the API may register after us.
  return trace
    .getTracer(tracerName)
    .startSpan(name, options, parent ? trace.setSpanContext(ROOT_CONTEXT, parent) : ROOT_CONTEXT);
}

function ended(span: Span, error?: unknown): void {
  if (error !== undefined) {
    const { Code, Reason } = toRefusal(error);
    span.setAttribute('error.type', Code);
    span.setStatus({ code: SpanStatusCode.ERROR, message: Reason });
  }
  span.end();
}

/**
 * A received message. `keep` is the context to store with what it carried: that of its span, or
 * else the context it came with.
 */
export type Reception = {
  readonly keep: string | null;
  readonly isRecorded: boolean;
  end(error?: unknown): void;
};

/**
 * Starts a span for receiving a message, under the context it came with; `links` are the contexts
 * of the writes inside it.
 */
export function receive(
  spec: () => SpanSpec,
  came: string | null,
  links: readonly string[] = [],
): Reception {
  // Called for every write, so it must cost nothing when nothing is recorded.
  if (!isRecorded()) return came === null ? nothing : { ...nothing, keep: came };
  const parent = came === null ? null : contextIn(came);
  const span = startSpan(
    spec(),
    parent,
    links.flatMap((text) => contextIn(text) ?? []),
  );
  const own = span.spanContext();
  // A request without a context gets one stored only if its span is sampled.
  const isKept =
    isSpanContextValid(own) && (parent !== null || (own.traceFlags & TraceFlags.SAMPLED) !== 0);
  return {
    keep: isKept ? textOf(own) : null,
    isRecorded: true,
    end: (error) => ended(span, error),
  };
}

/**
 * Runs `work` inside a span whose context `traceHeaders` returns. A single context is continued;
 * several are linked, and also sent in the links header.
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
 * A root context for a delivery of several writes when no SDK records here: the receiver may still
 * record it if one of the senders does.
 */
function unrecorded(contexts: readonly SpanContext[]): SpanContext {
  const hex = () => newUuid().replaceAll('-', '');
  return {
    traceId: hex(),
    spanId: hex().slice(0, 16),
    traceFlags: contexts.reduce((flags, one) => flags | one.traceFlags, 0),
  };
}
