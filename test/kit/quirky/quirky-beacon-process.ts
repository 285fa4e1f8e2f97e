/**
 * The beacon with the incumbent's quirks as a process: `bus <bus url> <BeaconID> <database>
 * [quirks]` or `http <port> <database> [quirks]`.
 */
import { Bus } from '../../../runtime/bus/bus.ts';
import { createLog } from '../../../runtime/log.ts';
import { type Quirk, QuirkyBeacon } from './quirky-beacon.ts';
import { serveQuirky } from './quirky-beacon-bus.ts';
import { listenQuirky } from './quirky-beacon-http.ts';

const [manner = '', ...args] = process.argv.slice(2);
const quirksOf = (text = '') => text.split(',').filter((name) => name !== '') as Quirk[];
if (manner === 'bus') {
  const [servers = '', beaconId = '', path = '', quirks] = args;
  const bus = await Bus.connect({ servers, name: beaconId }, createLog(beaconId));
  await serveQuirky(new QuirkyBeacon(path, quirksOf(quirks)), bus, beaconId);
} else {
  const [port = '', path = '', quirks] = args;
  await listenQuirky(new QuirkyBeacon(path, quirksOf(quirks)), Number(port));
}
