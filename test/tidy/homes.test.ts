/** Outside things have a home: packages, the environment, time and randomness. */
import { sourceOf } from '../kit/source.ts';
import { each, holds, productSources } from '../kit/tidy.ts';

/** Packages -> files that may import values from them; types may be imported anywhere. */
const packageHomes: { packages: RegExp; homes: RegExp }[] = [
  {
    packages: /^(?:nats|nats-v2|@nats-io\/nats-core|@nats-io\/transport-node)$/,
    homes: /^(?:runtime\/bus\/(?:bus(?:-answer|-login|-request)?|stream)|dropin\/link)\.ts$/,
  },
  { packages: /^@nats-io\/jetstream$/, homes: /^runtime\/bus\/stream\.ts$/ },
  { packages: /^kysely(?:\/|$)/, homes: /^beacon\/(?:engines|sql)\// },
  { packages: /^(?:pg|mysql2|tedious|tarn)(?:\/|$)/, homes: /^beacon\/engines\// },
  {
    packages: /^(?:hono|@hono\/)/,
    homes: /^(?:worker\/http\/[^/]+|beacon\/process\/http|runtime\/http\/http-listener)\.ts$/,
  },
  {
    packages: /^@opentelemetry\//,
    homes: /^(?:runtime|worker\/journal|beacon\/gateway)\/trace\.ts$/,
  },
  {
    packages: /^@prometheus-io\//,
    homes: /^(?:worker\/metrics\/[^/]+|beacon\/gateway\/meter)\.ts$/,
  },
  {
    packages: /^better-sqlite3$/,
    homes:
      /^(?:worker\/state\/connection|beacon\/(?:engines\/sqlite\/[^/]+|databases\/state)|dropin\/waiting\/sqlite)\.ts$/,
  },
  { packages: /^commander$/, homes: /^cli\// },
  { packages: /^msgpackr$/, homes: /^contracts\/body\/codec\.ts$/ },
  { packages: /^pino$/, homes: /^runtime\/log\.ts$/ },
];

holds('every outside package has one home', {
  over: productSources,
  rule: each((source) =>
    source.imports.map(({ from, isTypeOnly }) => {
      const home = packageHomes.find(({ packages }) => packages.test(from));
      const isAtHome = home === undefined || isTypeOnly || home.homes.test(source.path);
      return !isAtHome && `imports ${from}, whose home is ${home.homes.source}`;
    }),
  ),
  planted: [[sourceOf('worker/reads/a.ts', "import { pack } from 'msgpackr';\n")]],
});

const time =
  /\bDate\.now\b|\bnew Date\(\s*\)|\bperformance\.now\b|\bprocess\.hrtime\b|\bset(?:Timeout|Interval|Immediate)\(/;
const ambientHomes: { what: string; code: RegExp; homes: RegExp }[] = [
  {
    what: 'process.env',
    code: /\bprocess\s*\.\s*env\b/,
    homes: /^(?:cli\/settings|dropin)\/config\.ts$/,
  },
  {
    what: 'stdout and stderr',
    code: /\bprocess\s*\.\s*std(?:out|err)\s*\.\s*write\b|\bconsole\s*\.\s*(?:log|info|warn|error)\b/,
    homes: /^(?:cli\/terminal\/writer\.ts|bin\/tidemark\.js)$/,
  },
  {
    what: 'time and timers',
    code: time,
    homes: /^(?:runtime\/clock|contracts\/client\/stamps)\.ts$/,
  },
  {
    what: 'randomness',
    code: /\bMath\.random\b|\brandomUUID\b|\brandomBytes\s*\(|\bgetRandomValues\b/,
    homes: /^(?:runtime\/clock|contracts\/client\/stamps)\.ts$/,
  },
];

holds('environment, streams, time and randomness are used in their homes only', {
  over: productSources.filter(({ folder }) => folder !== 'console'),
  rule: each((source) =>
    ambientHomes.map(({ what, code, homes }) => {
      const line = source.code
        .split('\n')
        .findIndex((one) => code.test(one) && !/\bstamps\b/.test(one));
      return (
        line >= 0 &&
        !homes.test(source.path) &&
        `line ${line + 1}: ${what}, whose home is ${homes.source}`
      );
    }),
  ),
  planted: [
    [sourceOf('worker/intake/a.ts', 'const now = Date.now();\n')],
    [sourceOf('cli/verbs/a.ts', 'process.stdout.write(hash);\n')],
  ],
});
