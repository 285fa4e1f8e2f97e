/**
 * A hundred and more mistakes of somebody new: each is answered at once, with the exit code of the
 * contract and the right word in one or two lines.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { tempFolder, tidemark } from '../../kit/processes/cli-fixture.ts';
import { runHere } from '../../kit/processes/in-process.ts';

const folder = tempFolder();
afterAll(() => folder[Symbol.dispose]());
const at = (...parts: string[]) => join(folder.path, ...parts);
mkdirSync(at('empty'));
writeFileSync(at('text.txt'), 'hello\n');
writeFileSync(at('unknown-key.json'), '{"nast": "nats://x"}');
writeFileSync(at('far-key.json'), '{"zzzzzzzz": "1"}');
writeFileSync(at('number.json'), '{"hub": 5}');
writeFileSync(at('broken.json'), '{"hub": ');
writeFileSync(at('list.json'), '[]');
writeFileSync(at('bad-bus.json'), '{"nats": "http://somewhere:4222"}');

const nowhere = 'nats://127.0.0.1:1';
const guid = '0b8f6c1e-2d4a-4c3b-9f57-6a1d2e3f4a5b';
type Row = [typed: string, code: number, says: string, env?: Record<string, string>];

/** Words are split at blanks; `''` is an empty word. */
const rows: Row[] = [
  ['stauts', 2, 'did you mean status?'],
  ['statsu --json', 2, 'did you mean status?'],
  ['Status', 2, 'did you mean status?'],
  ['state', 2, 'tidemark status'],
  ['assing db-1 1', 2, 'did you mean assign?'],
  ['asign db-1 1', 2, 'did you mean assign?'],
  ['hwn show', 2, 'did you mean hwm show?'],
  ['hwm shwo', 2, 'did you mean hwm show?'],
  ['hwm get', 2, 'did you mean hwm show?'],
  ['hwm reset', 2, 'did you mean hwm set?'],
  ['dead-letter list', 2, 'did you mean dead-letters ls?'],
  ['dead-letters rm 5', 2, 'did you mean dead-letters drop?'],
  ['dead-letters retyr 5', 2, 'did you mean dead-letters retry?'],
  ['deadletters', 2, 'tidemark dead-letters ls'],
  ['dlq', 2, 'tidemark dead-letters ls'],
  ['jurnal ls', 2, 'did you mean journal ls?'],
  ['journal fsck', 2, 'did you mean journal verify?'],
  ['journal dump', 2, 'did you mean journal export?'],
  ['journal xyzzy', 2, 'there are stats, ls, verify, export, import, salvage'],
  ['pubish a.jsonl', 2, 'did you mean publish?'],
  ['doktor', 2, 'did you mean doctor?'],
  ['drian', 2, 'did you mean drain?'],
  ['puase', 2, 'did you mean pause?'],
  ['ops stats', 2, 'did you mean ops status?'],
  ['op status', 2, 'did you mean ops status?'],
  ['config get', 2, 'did you mean config show?'],
  ['conifg show', 2, 'did you mean config show?'],
  ['xyzzy', 2, 'tidemark help lists the verbs'],
  ["''", 2, 'unknown verb ""'],
  ['ls', 2, 'tidemark journal ls'],
  ['info', 2, 'tidemark status'],
  ['logs', 2, 'tidemark ops history'],
  ['stop', 2, 'tidemark drain'],
  ['start', 2, 'tidemark up'],
  ['version', 2, 'tidemark --version'],
  ['ping', 2, 'tidemark doctor'],
  ['health', 2, 'tidemark doctor'],
  ['lag', 2, 'tidemark status'],
  ['replay', 2, 'tidemark hwm set'],
  ['backup', 2, 'tidemark journal export'],
  ['verify', 2, 'tidemark journal verify'],
  ['retry 5', 2, 'tidemark dead-letters retry <seq>'],
  ['unassign', 2, 'tidemark clear'],
  ['restart', 2, 'tidemark drain'],
  ['audit', 2, 'tidemark beacon audit'],
  ['beacon audti --id db-1', 2, 'did you mean beacon audit?'],
  ['constructor', 2, 'tidemark help lists the verbs'],
  ['help xyzzy', 2, 'unknown verb "xyzzy"'],
  ['help hwm xyzzy', 2, 'unknown verb "xyzzy" of hwm'],
  ['locate', 2, "missing required argument 'guid'"],
  ['assign', 2, "missing required argument 'beacon'"],
  ['assign db-1', 2, 'usage: tidemark assign'],
  ['publish', 2, "missing required argument 'trace'"],
  ['dead-letters show', 2, "missing required argument 'seq'"],
  ['journal import', 2, "missing required argument 'file'"],
  ['journal salvage --out x', 2, "missing required argument 'path'"],
  ['journal salvage x', 2, '--out <file>'],
  ['hwm set', 2, '--to <seq|time>'],
  ['hwm set --to 5', 2, '--reason <text>'],
  ['ops skip x', 2, '--reason <text>'],
  ['beacon', 2, 'give --id <id>'],
  ['beacon plan', 2, "missing required argument 'url'"],
  ['drill', 2, 'tidemark drill <beacon>'],
  ['status now', 2, '"now" is one argument too many for status'],
  ['clear db-1', 2, 'it takes none'],
  [`locate ${guid} ${guid}`, 2, 'it takes 1'],
  ['assign db-1 1 2', 2, '"2" is one argument too many for assign'],
  ['status hub=hub2', 2, 'did you mean --hub=hub2?'],
  ['status --jsn', 2, 'did you mean --json?'],
  ['status -json', 2, 'did you mean --json?'],
  ['status --json=true', 2, '--json takes no value'],
  ['status -o json', 2, 'did you mean --json?'],
  ['status --ofline', 2, 'did you mean --offline?'],
  ['status --url nats://x', 2, 'did you mean --nats <url>?'],
  ['status --server nats://x', 2, 'did you mean --nats <url>?'],
  ['status -s nats://x', 2, 'did you mean --nats <url>?'],
  ['status --verbose', 2, 'did you mean --log-level <level>?'],
  ['status --rate 5', 2, 'it belongs to tidemark publish'],
  ['status --xyzzy', 2, 'tidemark status --help lists them'],
  ['worker --port 80', 2, 'did you mean --http <address>?'],
  ['up --database sqlite:x', 2, 'did you mean --db <url>?'],
  ['publish --concurency 3 x', 2, 'did you mean --concurrency <n>?'],
  ['journal ls --count 5', 2, 'did you mean --limit <n>?'],
  ['--json status', 2, 'options come behind it: tidemark status --json'],
  ['--nats nats://x status', 2, 'options come behind it'],
  ['-v', 2, 'did you mean --version?'],
  ['\u2013json', 2, 'did you mean --json?'],
  ['status \u2013json', 2, 'did you mean --json?'],
  ['status \u2014hub hub1', 2, 'did you mean --hub?'],
  ['status \u2212-nats=x', 2, 'did you mean --nats=x?'],
  ['journal ls --limit ten', 2, 'expected an integer of at least 1'],
  ['journal ls --limit -5', 2, 'expected an integer of at least 1'],
  ['journal ls --limit 1e3', 2, 'expected an integer of at least 1'],
  ['journal ls --limit 2.5', 2, 'expected an integer of at least 1'],
  ['journal ls --limit', 2, "option '--limit <n>' argument missing"],
  ['journal ls --after x', 2, 'expected an integer of at least 0'],
  ['publish --batch 0 x', 2, 'expected an integer of at least 1'],
  ['drill db-1 --seconds 601', 2, 'expected an integer from 1 to 600'],
  ['drill db-1 --seconds 0', 2, 'expected an integer from 1 to 600'],
  ['worker --intake kafka', 2, 'Allowed choices are none, jetstream'],
  ['hwm plan --to 5 --lane events', 2, 'Allowed choices are queue, manifest'],
  ['hwm plan --to yesterday', 2, 'is neither a Seq nor a time'],
  ['hwm plan --to 5 --beacon db-1', 2, '--beacon and --connection go together'],
  ['ops skip x --reason y --until tomorrow', 2, 'is not a time like'],
  ['ops run compact --set x', 2, 'expected name=value'],
  ['assign 1 db-1', 2, 'did you mean tidemark assign db-1 1?'],
  ['assign db-1 one', 2, 'is not an integer'],
  ['assign db.1 1', 2, 'is not a BeaconID'],
  ['locate 12345', 2, 'is not an EventGUID'],
  [`locate ${guid.slice(1)}`, 2, 'is not an EventGUID'],
  ['locate wi-1', 2, 'is not an EventGUID'],
  ['dead-letters show x', 2, 'neither a Seq nor id:<n>'],
  ['dead-letters drop id:', 2, 'neither a Seq nor id:<n>'],
  ['status --hub a.b', 2, '--hub "a.b" is not 1 to 64 of'],
  ["status --hub ''", 2, '--hub needs a value'],
  ["status --nats ''", 2, '--nats needs a value'],
  ["journal ls --data ''", 2, '--data needs a value'],
  ['status --nats --json', 2, '--nats needs a value, and --json is an option'],
  ['status --nats http://127.0.0.1:4222', 2, 'did you mean nats://127.0.0.1:4222?'],
  ['status --nats https://bus', 2, 'did you mean nats://bus?'],
  ['status --nats nats//127.0.0.1:4222', 2, 'expected nats://host:port'],
  ['status --nats nats:/127.0.0.1', 2, 'expected nats://host:port'],
  ['status --nats nats://', 2, 'names no host'],
  ['status --nats 4222', 2, 'did you mean nats://127.0.0.1:4222?'],
  ['status --nats nats://127.0.0.1:99999', 2, 'no port from 1 to 65535'],
  ['status --nats nats://127.0.0.1:port', 2, 'no port from 1 to 65535'],
  ['status --nats redis://127.0.0.1', 2, 'expected nats://host:port'],
  ['status --nats nats://ann:a%zz@bus', 2, 'write %25'],
  ['status --nats 127.0.0.1:1', 4, 'no bus at 127.0.0.1:1'],
  [`status --nats ${nowhere}`, 4, 'is nats-server running there?'],
  ['status', 2, 'NATS_URL "http://bus" is for http://', { NATS_URL: 'http://bus' }],
  ['status', 2, 'TIDEMARK_HUB "a b"', { TIDEMARK_HUB: 'a b' }],
  ['status', 2, 'TIDEMARK_LOG "loud" is none of', { TIDEMARK_LOG: 'loud' }],
  ['config check', 2, 'TIDEMARK_PENDING_MAX "many"', { TIDEMARK_PENDING_MAX: 'many' }],
  [
    'config check',
    2,
    'TIDEMARK_JOURNAL_BYTES_MAX "1M" is less than 16M',
    { TIDEMARK_JOURNAL_BYTES_MAX: '1M' },
  ],
  ['config check', 2, 'TIDEMARK_HTTP "8390" is no address', { TIDEMARK_HTTP: '8390' }],
  [
    'status',
    2,
    'NATS_CREDS "/nowhere/a.creds": there is no such file',
    { NATS_CREDS: '/nowhere/a.creds' },
  ],
  ['status', 2, 'TIDEMARK_TOKEN_FILE', { TIDEMARK_TOKEN_FILE: '/nowhere/token' }],
  ['config check --http 127.0.0.1:99999', 2, 'expected host:port'],
  ['config check --http localhost', 2, 'expected host:port'],
  ['config check --http 0.0.0.0:8390', 2, 'reachable from outside'],
  ['worker --http 127.0.0.1:99999', 2, '--http "127.0.0.1:99999" is no address'],
  ['worker --journal-bytes-max lots', 2, '--journal-bytes-max "lots" is no size'],
  ['worker --http 0.0.0.0:8390', 2, 'reachable from outside'],
  ['status --log-level loud', 2, '--log-level "loud" is none of debug, info'],
  ['status --config missing.json', 2, 'no configuration file'],
  [`status --config ${at('empty')}`, 2, 'is no file'],
  [`status --config ${at('unknown-key.json')}`, 2, 'unknown key "nast", did you mean nats?'],
  [`status --config ${at('far-key.json')}`, 2, 'known are nats'],
  [`status --config ${at('number.json')}`, 2, 'hub: expected text'],
  [`status --config ${at('broken.json')}`, 2, 'broken.json'],
  [`status --config ${at('list.json')}`, 2, 'expected an object'],
  [
    `status --config ${at('bad-bus.json')}`,
    2,
    `nats in ${at('bad-bus.json')} "http://somewhere:4222"`,
  ],
  [`publish missing.jsonl --nats ${nowhere}`, 3, 'no such trace file'],
  [`publish ${at('empty')} --nats ${nowhere}`, 3, 'is a folder'],
  ['journal import missing.jsonl', 3, 'there is no missing.jsonl'],
  [`journal import ${at('empty')}`, 3, 'is a folder'],
  [`journal salvage ${at('nothing')} --out ${at('out.jsonl')}`, 3, 'there is no'],
  [`journal ls --data ${at('nothing')}`, 3, 'is --data the directory of a worker that ran?'],
  [`journal verify --data ${at('nothing')}`, 3, 'is --data the directory of a worker that ran?'],
  [`journal export --data ${at('empty')}`, 3, 'is --data the directory of a worker that ran?'],
  [`status --offline --data ${at('nothing')}`, 3, 'is --data the directory of a worker that ran?'],
  [`hwm show --offline --data ${at('empty')}`, 3, 'is --data the directory of a worker that ran?'],
  [`journal ls --data ${at('text.txt')}`, 2, 'is a file: name a folder'],
  [`ops status --data ${at('nothing')} --nats ${nowhere}`, 3, 'there is no'],
  [`beacon audit --id db-1 --data ${at('nothing')}`, 3, 'there is no'],
  ['beacon audit', 2, 'which beacon?'],
  ['beacon plan db.local', 2, 'give sqlite:<path>'],
  ['beacon plan oracle://x', 2, 'give sqlite:<path>'],
];

function words(typed: string): string[] {
  return typed.split(' ').map((word) => (word === "''" ? '' : word));
}

const linesOf = (text: string) => text.trimEnd().split('\n');

describe('a mistake is answered with the right word', () => {
  test.each(rows)('%s', async (typed, code, says, env) => {
    const ran = await runHere(words(typed), env);
    expect(ran.stderr).toContain(says);
    expect(ran.code).toBe(code);
    expect(ran.stdout).toBe('');
    expect(linesOf(ran.stderr).length).toBeLessThanOrEqual(2);
    expect(ran.stderr).not.toMatch(/\n {4}at |undefined|\[object/);
  });

  test('there are a hundred of them at least', () => {
    expect(rows.length).toBeGreaterThanOrEqual(100);
  });

  test.each([
    'status',
    'assign db-1 1',
    'clear',
    'pause',
    'resume',
    'drain',
    'drain --until-empty',
    'hwm show',
    'hwm plan --to 1',
    'dead-letters ls',
    'dead-letters retry 1',
    `locate ${guid}`,
    'drill db-1',
    'drill --stop',
    'publish examples/demo-queue.jsonl --give-up 1',
  ])('%s without a bus: the URL, and what to do', async (typed) => {
    const ran = await runHere([
      ...words(typed),
      '--nats',
      'nats://ann:secret@127.0.0.1:1',
      '--data',
      at('empty'),
    ]);
    expect(ran.code).toBe(4);
    expect(linesOf(ran.stderr).at(-1)).toMatch(
      /no bus at nats:\/\/127\.0\.0\.1:1: .*is nats-server running there\?/,
    );
    expect(ran.stderr).not.toContain('secret');
  });
});

test.each<Row>([
  ['stauts', 2, 'did you mean status?'],
  ['status \u2013json', 2, 'did you mean --json?'],
  [`status --nats ${nowhere}`, 4, 'is nats-server running there?'],
  ['journal ls --data not-there', 3, 'is --data the directory'],
  ['locate', 2, 'usage: tidemark locate'],
])('the same through the real program: %s', async (typed, code, says) => {
  const ran = await tidemark(words(typed));
  expect(ran).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(says) });
});
