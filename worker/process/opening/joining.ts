/** Connects a worker to the bus: tries until it succeeds, and answers health requests meanwhile. */
import { Bus } from '../../../runtime/bus/bus.ts';
import type { BusOptions } from '../../../runtime/bus/bus-login.ts';
import { systemClock } from '../../../runtime/clock.ts';
import type { HttpAddress, HttpSettings } from '../../../runtime/http/http-access.ts';
import type { Log } from '../../../runtime/log.ts';
import { WaitingRoom } from '../../http/waiting-room.ts';
import type { Local } from '../../journal/local.ts';
import { localHealth } from '../local-health.ts';
import { insistOnAlone, insistOnOwner } from './owner.ts';
import { roomAt } from '../../state/guard/disk.ts';

export type JoinOptions = {
  local: Local;
  http: HttpAddress;
  access: HttpSettings;
  bus: Omit<BusOptions, 'name'>;
  hub: string;
  /** Serves the hub whoever served it before. */
  takesOver: boolean;
  log: Log;
};

/**
 * Returns the bus, once it is clear that this worker may serve its hub; or the result of `ended` if
 * that comes first. Until then /livez is ok, /readyz is 503, and /healthz says why and reports the
 * store's health.
 * @throws TidemarkError CONFIG_INVALID for settings that waiting cannot fix: our own files, or the
 * HTTP address; DEPOSED when another store owns the hub
 */
export async function joinBus<T>(
  { local, http, access, bus, hub, takesOver, log }: JoinOptions,
  ended: Promise<T>,
): Promise<Bus | T> {
  insistOnOwner(local, takesOver, log);
  const room = new WaitingRoom({ http, access, clock: systemClock });
  try {
    const connecting = Bus.connect({ ...bus, name: `tidemark-worker ${hub}` }, log, (reason) =>
      room.say(reason, () => healthOf(local)),
    );
    const joined = await Promise.race([connecting, ended]);
    if (joined instanceof Bus)
      await insistOnAlone({ bus: joined, local, clock: systemClock }, hub, takesOver);
    return joined;
  } finally {
    await room.close();
  }
}

function healthOf({ store }: Local): object {
  const capacity = { FreeBytes: roomAt(store.paths.stateDir)?.freeBytes ?? null, Refusing: null };
  return {
    Bus: { Connected: false, Server: null },
    ...localHealth({
      store,
      fault: null,
      lastCommitMs: null,
      capacity,
      nowMs: systemClock.nowMs(),
    }),
  };
}
