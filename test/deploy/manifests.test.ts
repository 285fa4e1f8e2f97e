/**
 * compose.yaml and the Kubernetes sidecar as data: they parse, name what is there, keep secrets out
 * of the environment, and fit the worker's deadlines.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parseDocument } from 'yaml';
import { limits } from '../../contracts/limits.ts';
import { defaults, variables } from '../../cli/settings/settings.ts';
import { runVerbs } from '../../cli/verbs/run.ts';
import { operations } from '../../worker/http/operations.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
type Json = Record<string, unknown>;

/** A document of YAML 1.1, as Docker and Kubernetes read it. */
function read(...path: string[]): Json {
  const document = parseDocument(readFileSync(join(root, ...path), 'utf8'), {
    version: '1.1',
    merge: true,
    uniqueKeys: true,
  });
  expect([...document.errors, ...document.warnings]).toEqual([]);
  return document.toJS() as Json;
}

/** The verb and the options a container starts with, checked against the command line. */
function expectOurs(words: readonly string[]): void {
  const verb = runVerbs.find((one) => one.name === words[0]);
  expect(words[0]).toBe(verb?.name);
  const known = (verb?.options ?? []).map((option) => option.long);
  expect(words.filter((word) => word.startsWith('--') && !known.includes(word))).toEqual([]);
}

const isOurVariable = (name: string) => Object.values<string>(variables).includes(name);
const secretish = /token|passw|secret|nkey|creds|databases?$/i;

describe('compose.yaml', () => {
  const compose = read('deploy', 'docker', 'compose.yaml') as {
    services: Record<string, Json>;
    volumes: Json;
    secrets: Record<string, { file: string }>;
  };
  const services = Object.entries(compose.services);
  /** Those that `up` starts; the others are run by hand. */
  const standing = services.filter(([, service]) => service['profiles'] === undefined);

  test('bus, database, databeacon and worker, each watched and started again', () => {
    expect(Object.keys(compose.services)).toEqual([
      'nats',
      'postgres',
      'beacon',
      'worker',
      'operator',
    ]);
    expect(
      standing.filter(([, service]) => service['restart'] !== 'always').map(([name]) => name),
    ).toEqual([]);
    // Ours have the check of the image, which asks on the worker's own port.
    expect(
      services
        .filter(
          ([, service]) => service['build'] === undefined && service['healthcheck'] === undefined,
        )
        .map(([name]) => name),
    ).toEqual([]);
    expect(compose.services['beacon']?.['command']).toContain(defaults.http);
    expect(readFileSync(join(root, 'deploy', 'docker', 'Dockerfile'), 'utf8')).toContain(
      `fetch('http://${defaults.http}/livez')`,
    );
  });

  test('ours start with verbs and options there are, on a read-only root without rights, with time to stop', () => {
    for (const name of ['beacon', 'worker']) {
      const service = compose.services[name] as Json & {
        build: { context: string; dockerfile: string };
        command: string[];
        environment: Json;
      };
      expectOurs(service.command);
      expect(service).toMatchObject({
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
      });
      expect(Number.parseInt(String(service['stop_grace_period']), 10) * 1_000).toBeGreaterThan(
        limits.drainMs,
      );
      expect(
        Object.keys(service.environment).filter(
          (variable) => !isOurVariable(variable) && variable !== 'XDG_CONFIG_HOME',
        ),
      ).toEqual([]);
      expect(
        existsSync(join(root, 'deploy', 'docker', service.build.context, service.build.dockerfile)),
      ).toBe(true);
    }
  });

  test('no secret in environment or command line, volumes and secrets declared, bus on loopback only', () => {
    for (const [, service] of services) {
      const environment = Object.entries((service['environment'] ?? {}) as Record<string, string>);
      expect(
        environment.filter(
          ([name, value]) =>
            (secretish.test(name) && !value.startsWith('/run/secrets/')) ||
            /:\/\/[^/]*@/.test(value),
        ),
      ).toEqual([]);
      expect(JSON.stringify(service['command'] ?? '')).not.toMatch(/:\/\/[^/"]*@/);
      for (const secret of (service['secrets'] ?? []) as (string | { source: string })[])
        expect(Object.keys(compose.secrets)).toContain(
          typeof secret === 'string' ? secret : secret.source,
        );
      for (const volume of (service['volumes'] ?? []) as string[]) {
        const [source = ''] = volume.split(':');
        if (source.startsWith('./'))
          expect(existsSync(join(root, 'deploy', 'docker', source))).toBe(true);
        else expect(Object.keys(compose.volumes)).toContain(source);
      }
      for (const port of (service['ports'] ?? []) as string[])
        expect(port).toMatch(/^127\.0\.0\.1:/);
    }
    expect(readFileSync(join(root, 'deploy', 'docker', '.gitignore'), 'utf8')).toContain(
      'secrets/',
    );
  });
});

describe('the Kubernetes sidecar', () => {
  type Container = Json & {
    name: string;
    env: { name: string; value: string }[];
    volumeMounts?: { name: string; mountPath: string }[];
    securityContext: Json;
    resources: Json;
  };
  type Pod = Json & {
    initContainers: Container[];
    containers: Container[];
    volumes: { name: string }[];
  };
  const set = read('deploy', 'kubernetes', 'sidecar.yaml') as {
    kind: string;
    spec: Json & {
      selector: { matchLabels: Json };
      template: { metadata: { labels: Json }; spec: Pod };
      volumeClaimTemplates: { metadata: { name: string } }[];
    };
  };
  const pod = set.spec.template.spec;
  const [worker] = pod.initContainers as [Container];

  test('one pod of a StatefulSet, whose selector finds it, with a disk of its own', () => {
    expect([set.kind, set.spec['replicas']]).toEqual(['StatefulSet', 1]);
    expect(set.spec.template.metadata.labels).toMatchObject(set.spec.selector.matchLabels);
    const volumes = [
      ...pod.volumes.map(({ name }) => name),
      ...set.spec.volumeClaimTemplates.map(({ metadata }) => metadata.name),
    ];
    expect(
      worker.volumeMounts?.map(({ name }) => name).filter((name) => !volumes.includes(name)),
    ).toEqual([]);
    expect(worker.volumeMounts?.some(({ mountPath }) => mountPath === '/var/lib/tidemark')).toBe(
      true,
    );
  });

  test('the worker is a native sidecar the hub does not wait for, with probes and time to finish', () => {
    expectOurs(worker['args'] as string[]);
    expect(worker).toMatchObject({ restartPolicy: 'Always' });
    expect(worker).not.toHaveProperty('startupProbe');
    expect([
      JSON.stringify(worker['livenessProbe']),
      JSON.stringify(worker['readinessProbe']),
    ]).toEqual([
      expect.stringContaining(`http://${defaults.http}/livez`),
      expect.stringContaining(`http://${defaults.http}/readyz`),
    ]);
    expect(
      Object.values(operations)
        .filter(({ tag }) => tag === 'probes')
        .map(({ path }) => path),
    ).toEqual(expect.arrayContaining(['/livez', '/readyz']));
    expect(Number(pod['terminationGracePeriodSeconds']) * 1_000).toBeGreaterThan(
      2 * limits.drainMs,
    );
    expect(worker.env.map(({ name }) => name).filter((name) => !isOurVariable(name))).toEqual([]);
    expect(
      worker.env.filter(({ name, value }) => secretish.test(name) && !value.startsWith('/')),
    ).toEqual([]);
  });

  test('neither container has rights, and each has bounds', () => {
    expect(pod['securityContext']).toMatchObject({
      runAsNonRoot: true,
      fsGroup: 1000,
      seccompProfile: { type: 'RuntimeDefault' },
    });
    for (const container of [worker, ...pod.containers]) {
      expect(container.securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
      expect(container.resources).toMatchObject({
        requests: expect.any(Object) as object,
        limits: { memory: expect.any(String) as string },
      });
    }
  });
});
