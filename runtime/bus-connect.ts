/** Getting onto the bus: what the client is told, and trying until a server takes us. Shares the home of the NATS client with `bus.ts`. */
import { readFileSync } from 'node:fs';
import { type Authenticator, connect, credsAuthenticator, type NatsConnection, type NodeConnectionOptions, nkeyAuthenticator } from 'nats';
import { inboxOf } from '../contracts/subjects.ts';
import type { BusOptions } from './bus.ts';
import { whyNoBus } from './bus-answer.ts';
import { systemClock } from './clock.ts';
import type { Log } from './log.ts';

const reconnectMs = 250;

function authenticatorOf(options: BusOptions): Authenticator | undefined {
  if (options.creds) return credsAuthenticator(readFileSync(options.creds));
  if (options.nkey) return nkeyAuthenticator(readFileSync(options.nkey));
  return undefined;
}

function connectionOptions(options: BusOptions): NodeConnectionOptions {
  const authenticator = authenticatorOf(options);
  const { cert, key, ca } = options.tls ?? {};
  return {
    servers: options.servers.split(','),
    name: options.name,
    // Its own, so that one process may be kept from reading the answers to another.
    inboxPrefix: inboxOf(options.name),
    // The client gives up after ten tries by default; a sidecar outlives any outage of the bus.
    maxReconnectAttempts: -1,
    reconnectTimeWait: reconnectMs,
    reconnectJitter: 100,
    ignoreAuthErrorAbort: true,
    pingInterval: 5_000,
    maxPingOut: 2,
    timeout: 5_000,
    ...(authenticator ? { authenticator } : {}),
    ...(options.token ? { token: options.token } : {}),
    ...(options.user ? { user: options.user } : {}),
    ...(options.password ? { pass: options.password } : {}),
    ...(cert || key || ca ? { tls: { ...(cert ? { certFile: cert } : {}), ...(key ? { keyFile: key } : {}), ...(ca ? { caFile: ca } : {}) } } : {}),
  };
}

/** A connection; throws as `Bus.connect` does. */
export async function connectWith(options: BusOptions, log: Log): Promise<NatsConnection> {
  const settings = connectionOptions(options);
  let said = '';
  for (;;) {
    try {
      return await connect(settings);
    } catch (cause) {
      const error = whyNoBus(options.servers, cause);
      if (options.waitForServer === false) throw error;
      if (error.message !== said) log.warn({ server: options.servers, reason: error.message }, 'no bus yet, trying again until there is one');
      said = error.message;
      await systemClock.sleep(reconnectMs);
    }
  }
}
