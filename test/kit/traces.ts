/** Trace contexts for tests, and what a bus shows of them. */
import { connect, type Msg } from 'nats';

/** A traceparent whose trace is named by one hex digit. */
export function parentOf(digit: string, span = '1', flags = '01'): string {
  return `00-${digit.repeat(32)}-${span.repeat(16)}-${flags}`;
}

export const traceIdOf = (traceparent: string | undefined): string =>
  (traceparent ?? '').split('-')[1] ?? '';

export type HeardHeaders = {
  subject: string;
  traceparent: string;
  tracestate: string;
  links: string[];
  message: Msg;
};

export type Onlooker = AsyncDisposable & {
  /** What went to a subject with this ending since the last `forget`. */
  at(ending: string): Promise<HeardHeaders[]>;
  /** Begins anew: nothing said before is told afterwards. */
  forget(): Promise<void>;
};

/**
 * Listens to what is said on subjects, as an onlooker: it hears by a connection of its own, so it
 * asks the bus for what is still on its way before it tells.
 */
export async function listenTo(url: string, subject: string): Promise<Onlooker> {
  const connection = await connect({ servers: url });
  const heard: HeardHeaders[] = [];
  connection.subscribe(subject, {
    callback: (_, message) => {
      const get = (name: string) => message.headers?.get(name) ?? '';
      heard.push({
        subject: message.subject,
        traceparent: get('traceparent'),
        tracestate: get('tracestate'),
        links: get('Tidemark-Trace-Links').split(' ').filter(Boolean),
        message,
      });
    },
  });
  await connection.flush();
  return {
    at: async (ending) => {
      await connection.flush();
      return heard.filter((one) => one.subject.endsWith(ending));
    },
    forget: async () => {
      await connection.flush();
      heard.length = 0;
    },
    [Symbol.asyncDispose]: () => connection.close(),
  };
}
