/**
 * A NATS micro service as in ADR-32: endpoints, `$SRV.PING|INFO|STATS`, error headers, statistics.
 */
import type { HeaderReader } from '../../contracts/body/codec.ts';
import { messageOf } from '../../contracts/errors.ts';
import { isoOf, newUuid, systemClock } from '../clock.ts';

/** A request to an endpoint. Call exactly one of `respond` and `refuse`. */
export interface BusRequest {
  readonly subject: string;
  readonly headers?: HeaderReader | undefined;
  /** Its bytes as they came; left out where there are none. */
  readonly body?: Uint8Array;
  /** Where the answer goes; senders differ in it. */
  readonly replyTo?: string | undefined;
  /** Most bytes its answer may have; unbounded when omitted. */
  readonly answerBytesMax?: number;
  /** @throws TidemarkError INVALID_MESSAGE or TOO_LARGE */
  decode(): unknown;
  respond(value: unknown): void;
  refuse(error: unknown): void;
}

/** Returned by a handler that answers the request itself, later. */
export const replied = Symbol('replied');

export type EndpointSpec = {
  name: string;
  subject: string;
  /** 'q' when omitted; null makes every instance answer. */
  queueGroup?: string | null;
  metadata?: Record<string, string>;
  /** Its result becomes the reply; an error it throws becomes a refusal. */
  handle: (request: BusRequest) => unknown;
  /** Called with each refusal. */
  refused?: (error: unknown) => void;
  /** Shown in STATS beside the counts. */
  data?: () => unknown;
};

export type ServiceSpec = {
  name: string;
  version: string;
  description: string;
  metadata: Record<string, string>;
  endpoints: EndpointSpec[];
};

/**
 * Subscribes to a subject. `drain` stops new requests and resolves when those received went to the
 * handler.
 */
export type Listen = (
  subject: string,
  queueGroup: string | null,
  onRequest: (request: BusRequest) => void,
) => { drain(): Promise<void> };

class Endpoint {
  readonly spec: EndpointSpec;
  #requests = 0;
  #errors = 0;
  #lastError = '';
  #busyNs = 0;

  constructor(spec: EndpointSpec) {
    this.spec = spec;
  }

  readonly onRequest = (request: BusRequest): void => {
    const started = systemClock.monotonicMs();
    this.#requests += 1;
    try {
      const answer = this.spec.handle(request);
      if (answer instanceof Promise) {
        answer.then(
          (value) => this.#finish(request, value, started),
          (error: unknown) => this.#fail(request, error, started),
        );
      } else this.#finish(request, answer, started);
    } catch (error) {
      this.#fail(request, error, started);
    }
  };

  #finish(request: BusRequest, value: unknown, started: number): void {
    this.#busyNs += (systemClock.monotonicMs() - started) * 1e6;
    if (value === replied) return;
    try {
      request.respond(value);
    } catch (error) {
      this.#fail(request, error, systemClock.monotonicMs());
    }
  }

  #fail(request: BusRequest, error: unknown, started: number): void {
    this.#busyNs += (systemClock.monotonicMs() - started) * 1e6;
    this.countError(error);
    this.spec.refused?.(error);
    request.refuse(error);
  }

  /** For handlers that answer by themselves. */
  countError(error: unknown): void {
    this.#errors += 1;
    this.#lastError = messageOf(error);
  }

  info(): object {
    const { name, subject, queueGroup = 'q', metadata = {} } = this.spec;
    return { name, subject, queue_group: queueGroup ?? '', metadata };
  }

  stats(): object {
    const { name, subject, queueGroup = 'q' } = this.spec;
    const busy = Math.round(this.#busyNs);
    return {
      name,
      subject,
      queue_group: queueGroup ?? '',
      num_requests: this.#requests,
      num_errors: this.#errors,
      last_error: this.#lastError,
      processing_time: busy,
      average_processing_time: this.#requests === 0 ? 0 : Math.round(busy / this.#requests),
      ...(this.spec.data ? { data: this.spec.data() } : {}),
    };
  }
}

export class MicroService {
  readonly #spec: ServiceSpec;
  readonly #id = newUuid().replaceAll('-', '').slice(0, 22);
  readonly #started = isoOf(systemClock.nowMs());
  readonly #endpoints: Endpoint[];
  readonly #handles: { drain(): Promise<void> }[] = [];
  #stopped: Promise<void> | null = null;

  constructor(spec: ServiceSpec, listen: Listen) {
    this.#spec = spec;
    this.#endpoints = spec.endpoints.map((endpoint) => new Endpoint(endpoint));
    for (const endpoint of this.#endpoints) {
      const { subject, queueGroup = 'q' } = endpoint.spec;
      this.#handles.push(listen(subject, queueGroup, endpoint.onRequest));
    }
    for (const verb of ['PING', 'INFO', 'STATS'] as const) {
      for (const subject of [
        `$SRV.${verb}`,
        `$SRV.${verb}.${spec.name}`,
        `$SRV.${verb}.${spec.name}.${this.#id}`,
      ]) {
        this.#handles.push(listen(subject, null, (request) => request.respond(this.#answer(verb))));
      }
    }
  }

  get id(): string {
    return this.#id;
  }

  #answer(verb: 'PING' | 'INFO' | 'STATS'): object {
    const { name, version, metadata, description } = this.#spec;
    const about = { name, id: this.#id, version, metadata };
    switch (verb) {
      case 'PING':
        return { type: 'io.nats.micro.v1.ping_response', ...about };
      case 'INFO':
        return {
          type: 'io.nats.micro.v1.info_response',
          ...about,
          description,
          endpoints: this.#endpoints.map((one) => one.info()),
        };
      case 'STATS':
        return {
          type: 'io.nats.micro.v1.stats_response',
          ...about,
          started: this.#started,
          endpoints: this.#endpoints.map((one) => one.stats()),
        };
    }
  }

  /**
   * Stops accepting requests; those accepted still get their answer. Calling it twice is harmless.
   */
  stop(): Promise<void> {
    this.#stopped ??= Promise.all(this.#handles.map((handle) => handle.drain())).then(
      () => undefined,
    );
    return this.#stopped;
  }
}
