/** A process tied to its parent that then spins for good, or waits as an idle one does. */
import { exitWithParent } from '../../../cli/terminal/exit-with-parent.ts';

exitWithParent();
process.send?.('started', () => {
  if (process.argv[2] === 'spin') for (;;);
  setInterval(() => undefined, 1_000);
});
