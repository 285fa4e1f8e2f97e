/**
 * A databeacon as a process of its own: `beacon-child.ts <bus url> <BeaconID> <data folder>
 * <database url>...`.
 */
import { runBeacon } from '../../../beacon/process/command.ts';

const [servers = '', beaconId = '', dataDir = '', ...databases] = process.argv.slice(2);
process.exitCode = await runBeacon(
  { beaconId, dataDir, databases, isBatchOn: true, tags: {} },
  { servers, name: beaconId },
  { onReady: () => process.stdout.write('ready\n') },
);
