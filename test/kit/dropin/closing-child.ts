/**
 * A hub that stops in good order without a bus: `node closing-child.ts <bus> <file> <never|gone>`. It
 * makes two writes; `gone` lets the bus go away first, and says when that may happen.
 */
import { ManifestStoreBridge, QueuePersistenceBridge } from '../../../dropin/bridges.ts';
import { until } from '../until.ts';

const [, , url = '', File = '', bus = ''] = process.argv;
const options = { NatsURL: url, HubID: 'hub1', File };
const queue = new QueuePersistenceBridge(options);
const manifests = new ManifestStoreBridge(options);
const said = (what: RegExp) => () => what.test(queue.getPersistenceStatus().LastError ?? '');

void queue.upsertWorkItem({ WorkItemHash: 'a' });
void manifests.upsertManifest({ Hash: 'r' });
if (bus === 'gone') {
  await until('the bus is there', said(/nobody serves/));
  process.stdout.write('there\n');
  await until('the bus is away', said(/is away/));
}
await Promise.all([queue.close(), manifests.close()]);
process.stdout.write('closed\n');
