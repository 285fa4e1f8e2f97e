/**
 * For `node --import`: an OpenTelemetry SDK as an operator puts one before a process, writing each
 * span as a line of JSON to stdout.
 */
import { trace } from '@opentelemetry/api';
import {
  BasicTracerProvider,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';

const exporter = {
  export: (spans: ReadableSpan[], done: (result: { code: number }) => void) => {
    for (const span of spans) {
      const { traceId, spanId } = span.spanContext();
      const line = {
        Span: span.name,
        TraceId: traceId,
        SpanId: spanId,
        Parent: span.parentSpanContext?.spanId ?? null,
      };
      process.stdout.write(`${JSON.stringify(line)}\n`);
    }
    done({ code: 0 });
  },
  shutdown: () => Promise.resolve(),
};

trace.setGlobalTracerProvider(
  new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }),
);
