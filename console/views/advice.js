/**
 * What a state means for whoever was called because of it: whether something is lost, and what to
 * do.
 */
/** @import { WorkerStatus } from '../../contracts/status.ts' */

/**
 * Nothing where there is nothing to do.
 * @param {Pick<WorkerStatus, 'State'> & { Queue: Pick<WorkerStatus['Queue'], 'AssignedBeaconID' |
 * 'IsPaused'> }} status
 */
export function adviceOf({ State, Queue }) {
  const beacon = Queue.AssignedBeaconID ?? 'its databeacon';
  switch (State) {
    case 'unassigned':
      return 'Nothing is lost: writes are kept here. Assign a databeacon, and they go out.';
    case 'waiting-for-beacon':
      return (
        `Nothing is lost: writes are kept here, and go out by themselves when ${beacon} is ` +
        'back. Start it, or see why it does not reach the bus.'
      );
    case 'error':
      return (
        'Nothing is lost: writes are kept here. Mend what the error of the lane names; it ' +
        'is tried again by itself.'
      );
    case 'bootstrapping':
      return 'Tables are being made ready; delivery begins by itself.';
    default:
      return Queue.IsPaused ? 'Writes are kept here until delivery is resumed.' : '';
  }
}
