/**
 * Trace spans of the worker, named by OpenTelemetry's conventions for messaging: accepting a
 * request, delivering entries, and reading from the backend.
 */
import { SpanKind } from '@opentelemetry/api';
import type { Lane } from '../../contracts/subjects.ts';
import { type Reception, receive, send } from '../../runtime/trace.ts';

const system = { 'messaging.system': 'nats' };

/** The span of a hub's request or a one-way message. @param came its trace context */
export function accepting(subject: string, came: string | null): Reception {
  return receive(
    () => ({
      name: `accept ${subject}`,
      kind: SpanKind.CONSUMER,
      attributes: {
        ...system,
        'messaging.destination.name': subject,
        'messaging.operation.name': 'accept',
        'messaging.operation.type': 'process',
      },
    }),
    came,
  );
}

/** The span of a delivery to a beacon. @param traces the contexts of entries that have one */
export function delivering<T>(
  to: { beacon: string; lane: Lane; carrier: string; entries: number },
  traces: Iterable<string>,
  work: () => Promise<T>,
): Promise<T> {
  const { beacon, lane, carrier, entries } = to;
  return send(
    {
      name: `deliver mesh.${beacon}`,
      kind: SpanKind.PRODUCER,
      attributes: {
        ...system,
        'messaging.destination.name': `mesh.${beacon}`,
        'messaging.operation.name': 'deliver',
        'messaging.operation.type': 'send',
        'messaging.batch.message_count': entries,
        'tidemark.lane': lane,
        'tidemark.carrier': carrier,
      },
    },
    traces,
    work,
  );
}

/**
 * The span of a read that asks the backend.
 * @param trace the context of the read; without one there is no span
 */
export function reading<T>(
  action: string,
  trace: string | null,
  work: () => Promise<T>,
): Promise<T> {
  if (trace === null) return work();
  return send(
    {
      name: `read ${action}`,
      kind: SpanKind.CLIENT,
      attributes: {
        ...system,
        'messaging.operation.name': 'read',
        'messaging.operation.type': 'send',
      },
    },
    [trace],
    work,
  );
}
