/** Events of the core, passed on to the parts around it. */
import type { TidemarkError } from '../../contracts/errors.ts';
import type { Log } from '../../runtime/log.ts';
import type { Meter } from '../metrics/meter.ts';
import type { Announcer } from '../operators/announcer.ts';
import type { ChangePublisher } from '../upkeep/change-publisher.ts';
import type { ConsoleSide } from './console-side.ts';
import type { Core } from './core.ts';
import type { Mirrors } from './mirrors.ts';

/** Who hears of them. */
export type HeardParts = {
  core: Core;
  desk: ConsoleSide;
  announcer: Announcer;
  changes: ChangePublisher;
  mirrors: Mirrors;
};

/** Connects events of the core to the parts that show, record or act on them. */
export function passOn(
  { core, desk, announcer, changes, mirrors }: HeardParts,
  meter: Meter,
  { log, onFault }: { log: Log; onFault: (error: TidemarkError) => void },
): void {
  core.events.listen({
    changed: () => {
      changes.touch();
      mirrors.touch();
      desk.live.touch();
    },
    stateChanged: () => announcer.state(core.operators.overview.status()),
    pressure: (reason) => {
      announcer.pressure(reason, core.delivery.pressure.capacity());
      desk.live.touch();
    },
    deliveryFault: (message) => {
      log.error({}, message);
      announcer.fault(message);
      meter.fault();
    },
    deposed: onFault,
    storeFault: onFault,
  });
}
