/** Spans of the databeacon: one for each capability request, below the worker's that sent it. */
import { SpanKind } from '@opentelemetry/api';
import type { HeaderReader } from '../../contracts/body/codec.ts';
import { linksIn, type Reception, receive, traceIn } from '../../runtime/trace.ts';

/** @param writes mutations of an apply, null for another request */
export function serving(
  request: { capability: string; action: string; subject: string; writes: number | null },
  headers: HeaderReader | undefined,
): Reception {
  const { capability, action, subject, writes } = request;
  return receive(
    () => ({
      name: `${capability}.${action}`,
      kind: SpanKind.SERVER,
      attributes: {
        'messaging.system': 'nats',
        'messaging.destination.name': subject,
        'messaging.operation.name': action,
        'messaging.operation.type': 'process',
        ...(writes === null ? {} : { 'messaging.batch.message_count': writes }),
      },
    }),
    traceIn(headers),
    linksIn(headers),
  );
}
