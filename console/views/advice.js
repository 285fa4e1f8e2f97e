/** What a state means to whoever was alerted by it: whether anything is lost, and what to do. */
/** @import { WorkerStatus } from '../../contracts/status.ts' */

/**
 * Empty when there is nothing to do.
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
        'Nothing is lost: writes are kept here. Fix what the error of the lane names; delivery ' +
        'is retried by itself.'
      );
    case 'bootstrapping':
      return 'Tables are being prepared; delivery begins by itself.';
    default:
      return Queue.IsPaused ? 'Writes are kept here until delivery is resumed.' : '';
  }
}
