/** The peer for request/reply: a bare NATS responder that echoes every body. */
import { connect } from 'nats';

const [url, subject] = process.argv.slice(2);
const connection = await connect({ servers: url ?? '' });
connection.subscribe(subject ?? '', {
  callback: (_, message) => void message.respond(message.data),
});
await connection.flush();
process.send?.('ready');
process.once('disconnect', () => process.exit(0));
