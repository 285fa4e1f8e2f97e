/** Trace contexts for tests, and what a bus shows of them. */
import { connect, type Msg } from 'nats';

/** A traceparent whose trace is named by one hex digit. */
export function parentOf(digit: string, span = '1', flags = '01'): string {
  return `00-${digit.repeat(32)}-${span.repeat(16)}-${flags}`;
}

export const traceIdOf = (traceparent: string | undefined): string => (traceparent ?? '').split('-')[1] ?? '';

export type HeardHeaders = { subject: string; traceparent: string; tracestate: string; links: string[]; message: Msg };

/** Listens to what is said on subjects, as an onlooker; `at` gives what went to a subject with this ending. */
export async function listenTo(url: string, subject: string): Promise<AsyncDisposable & { heard: HeardHeaders[]; at: (ending: string) => HeardHeaders[] }> {
  const connection = await connect({ servers: url });
  const heard: HeardHeaders[] = [];
  connection.subscribe(subject, {
    callback: (_, message) => {
      const get = (name: string) => message.headers?.get(name) ?? '';
      heard.push({ subject: message.subject, traceparent: get('traceparent'), tracestate: get('tracestate'), links: get('Tidemark-Trace-Links').split(' ').filter(Boolean), message });
    },
  });
  await connection.flush();
  return { heard, at: (ending) => heard.filter((one) => one.subject.endsWith(ending)), [Symbol.asyncDispose]: () => connection.close() };
}
