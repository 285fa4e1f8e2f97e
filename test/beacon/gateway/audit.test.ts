/**
 * The audit trail: who, what, with what outcome, in time, within its bounds; and the command that
 * reads it.
 */
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createLog } from '../../../runtime/log.ts';
import { type AuditStore, AuditTrail } from '../../../beacon/gateway/audit.ts';
import { bounds } from '../../../beacon/bounds.ts';
import { type AuditLine, BeaconState, readAudit } from '../../../beacon/databases/state.ts';
import { ManualClock } from '../../kit/manual-clock.ts';
import { tempFolder } from '../../kit/beacon/fixture.ts';

const log = createLog('test', 'silent');
const line = (more: Partial<AuditLine> = {}) => ({
  remoteUser: 'ann',
  capability: 'C',
  action: 'A',
  connection: 1,
  table: 'T',
  outcome: 'ok',
  count: 1,
  detail: '',
  ...more,
});

/** A store that remembers, or refuses. */
function memory(): AuditStore & { lines: AuditLine[]; trims: string[]; isBroken: boolean } {
  return {
    lines: [],
    trims: [],
    isBroken: false,
    addAudit(lines) {
      if (this.isBroken) throw new Error('disk is full');
      this.lines.push(...lines);
    },
    trimAudit(before) {
      this.trims.push(before);
    },
  };
}

describe('trail', () => {
  test('lines are written together within a second, at once when there are many, and at the stop', async () => {
    const [clock, store] = [new ManualClock(), memory()];
    const trail = new AuditTrail(store, clock, log);
    trail.add(line());
    trail.add(line({ remoteUser: 'bob' }));
    expect(store.lines).toEqual([]);
    await clock.advance(999);
    expect(store.lines.map((one) => one.remoteUser)).toEqual(['ann', 'bob']);
    for (let n = 0; n < bounds.auditLinesMax; n++) trail.add(line());
    expect(store.lines).toHaveLength(bounds.auditLinesMax + 2);
    trail.add(line({ remoteUser: 'last' }));
    trail.stop();
    expect(store.lines.at(-1)?.remoteUser).toBe('last');
    trail.add(line());
    await clock.advance(5_000);
    expect(store.lines).toHaveLength(bounds.auditLinesMax + 3);
  });

  test('while the disk refuses, lines wait up to a bound, and it is said how many were lost (I9)', async () => {
    const [clock, store] = [new ManualClock(), memory()];
    const trail = new AuditTrail(store, clock, log);
    store.isBroken = true;
    for (let n = 0; n < bounds.auditLinesMax + 7; n++) trail.add(line({ count: n }));
    await clock.advance(3_000);
    expect(store.lines).toEqual([]);
    store.isBroken = false;
    await clock.advance(1_000);
    expect(store.lines).toHaveLength(bounds.auditLinesMax + 1);
    expect(store.lines[0]).toMatchObject({ count: 7 });
    expect(store.lines.at(-1)).toMatchObject({ capability: 'Audit', outcome: 'lost', count: 7 });
  });

  test('what a sender made long is cut', () => {
    const [clock, store] = [new ManualClock(), memory()];
    const trail = new AuditTrail(store, clock, log);
    trail.add(
      line({
        remoteUser: 'u'.repeat(5_000),
        action: 'a'.repeat(5_000),
        table: 't'.repeat(5_000),
        detail: 'd'.repeat(5_000),
      }),
    );
    trail.stop();
    expect(
      Object.values(store.lines[0] ?? {}).filter((value) => String(value).length > 200),
    ).toEqual([]);
  });

  test('old and surplus lines go (I9)', async () => {
    const folder = tempFolder();
    const state = BeaconState.open(folder);
    onTestFinished(() => state.close());
    const clock = new ManualClock();
    const before = new AuditTrail(state, clock, log);
    before.add(line({ remoteUser: 'old' }));
    before.flush();
    before.stop();
    await clock.advance(bounds.auditKeptMs + 1_000);
    const trail = new AuditTrail(state, clock, log);
    trail.add(line({ remoteUser: 'new' }));
    trail.flush();
    expect(readAudit(folder, { limit: 10 }).map((one) => one.remoteUser)).toEqual(['new']);
    const file = new Database(join(folder, 'beacon.db'));
    file.prepare('UPDATE Audit SET IDAudit = IDAudit + ?').run(bounds.auditRowsMax);
    file
      .prepare(
        'INSERT INTO Audit (IDAudit, At, RemoteUser, Capability, Action, ' +
          "IDBeaconConnection, Detail) VALUES (1, '9999', 'surplus', '', '', 0, '')",
      )
      .run();
    file.close();
    expect(readAudit(folder, { limit: 10 })).toHaveLength(2);
    await clock.advance(bounds.auditTrimMs);
    expect(readAudit(folder, { limit: 10 }).map((one) => one.remoteUser)).toEqual(['new']);
    trail.stop();
  });

  test('a state of the first version is taken over with what it holds', () => {
    const folder = tempFolder();
    const db = new Database(join(folder, 'beacon.db'));
    db.exec(`
      CREATE TABLE Connection (IDBeaconConnection INTEGER PRIMARY KEY, Name TEXT NOT NULL UNIQUE,
        Url TEXT NOT NULL, Origin TEXT NOT NULL, Description TEXT NOT NULL) STRICT;
      CREATE TABLE Proxy (ID INTEGER PRIMARY KEY CHECK (ID = 1), PathAllowlist TEXT NOT NULL,
        AllowWrites INTEGER NOT NULL) STRICT;
      CREATE TABLE Audit (IDAudit INTEGER PRIMARY KEY AUTOINCREMENT, At TEXT NOT NULL,
        RemoteUser TEXT NOT NULL, Capability TEXT NOT NULL, Action TEXT NOT NULL,
        IDBeaconConnection INTEGER NOT NULL, Detail TEXT NOT NULL) STRICT;
      INSERT INTO Proxy VALUES (1, '["^/x/"]', 0);
      INSERT INTO Audit VALUES (1, '2026-01-01', 'ann', 'C', 'A', 1, 'd');
      PRAGMA user_version = 1`);
    db.close();
    const state = BeaconState.open(folder);
    expect(state.proxyConfig()).toMatchObject({ patterns: ['^/x/'], allowWrites: false });
    state.close();
    expect(readAudit(folder, { limit: 1 })).toMatchObject([
      { remoteUser: 'ann', outcome: 'ok', table: '' },
    ]);
  });
});
