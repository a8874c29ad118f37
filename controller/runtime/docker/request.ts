/**
 * A container spec as the engine's create request: the one place that says how a tenant's container is confined. Pure.
 * Secret texts are no part of it; they are written into a volume afterwards (files.ts).
 */
import { createHash } from 'node:crypto'
import type Docker from 'dockerode'
import type { ContainerSpec } from '../../core/container.ts'
import { containerLabels, containerName, FILES_FOLDER, FILES_VOLUME, LABEL, ownLabels, volumeName } from './names.ts'

const MIB = 1024 * 1024
const NANO_CPUS = 1e9
const SECOND_NS = 1e9
const TMPFS_OPTIONS = 'rw,noexec,nosuid,nodev,size=64m'

/** What can be changed in a live container. */
export type LiveSettings = Required<Pick<Docker.HostConfig, 'Memory' | 'MemorySwap' | 'NanoCpus' | 'PidsLimit' | 'RestartPolicy'>>

/** JSON with sorted keys, so that equal values are equal texts. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part) ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1))) : part,
  )
}

/**
 * SHA-256 in hex over everything that a container is created with. Left out is what changes without a new container: memory,
 * processors and process limits (compared with the live values instead), the texts of files, and the reload command.
 */
export function configHash(spec: ContainerSpec): string {
  const changeable = { memoryMb: undefined, cpus: undefined, pidsLimit: undefined, reload: undefined, files: spec.files.length > 0 }
  return createHash('sha256')
    .update(canonicalJson({ ...spec, ...changeable }))
    .digest('hex')
}

export function liveSettings(spec: ContainerSpec): LiveSettings {
  return {
    Memory: spec.memoryMb * MIB,
    // Equal to Memory: no swap on top.
    MemorySwap: spec.memoryMb * MIB,
    NanoCpus: Math.round(spec.cpus * NANO_CPUS),
    PidsLimit: spec.pidsLimit,
    RestartPolicy: { Name: 'unless-stopped' },
  }
}

export const portKey = (port: number): string => `${port}/tcp`

export type CreateRequest = Docker.ContainerCreateOptions & { readonly HostConfig: Docker.HostConfig; readonly Labels: Record<string, string> }

export function createRequest(spec: ContainerSpec, installation: string): CreateRequest {
  return {
    Image: spec.image,
    ...(spec.command && { Cmd: [...spec.command] }),
    ...(spec.user !== undefined && { User: spec.user }),
    Env: Object.entries(spec.environment).map(([name, value]) => `${name}=${value}`),
    Labels: { ...containerLabels(installation, spec, configHash(spec)) },
    ExposedPorts: Object.fromEntries(spec.ports.map(({ port }) => [portKey(port), {}])),
    Healthcheck: healthCheck(spec),
    StopTimeout: spec.stopGraceSeconds,
    HostConfig: {
      ...liveSettings(spec),
      Init: true,
      Privileged: false,
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      CapAdd: [...spec.capabilities],
      SecurityOpt: ['no-new-privileges'],
      NetworkMode: containerName(installation, spec.name),
      // An empty host port lets the engine choose a free one at every start.
      PortBindings: Object.fromEntries(spec.ports.map(({ port }) => [portKey(port), [{ HostIp: '127.0.0.1', HostPort: '' }]])),
      Mounts: mounts(spec, installation),
      Tmpfs: Object.fromEntries(spec.tmpfs.map((folder) => [folder, TMPFS_OPTIONS])),
      LogConfig: { Type: 'json-file', Config: { 'max-size': '5m', 'max-file': '2' } },
    },
  }
}

/** Volumes are made by the engine along with the container, labels included: no call of their own. */
function mounts(spec: ContainerSpec, installation: string): Docker.MountSettings[] {
  const volume = (name: string, target: string, empty: boolean): Docker.MountSettings => ({
    Type: 'volume',
    Source: volumeName(installation, spec.name, name),
    Target: target,
    VolumeOptions: {
      NoCopy: empty,
      Labels: { ...ownLabels(installation, spec.name), [LABEL.tenant]: spec.tenant, [LABEL.product]: spec.product, [LABEL.volume]: name },
      DriverConfig: { Name: '', Options: {} },
    },
  })
  return [
    ...spec.volumes.map(({ name, path }) => volume(name, path, false)),
    ...(spec.files.length > 0 ? [volume(FILES_VOLUME, FILES_FOLDER, true)] : []),
    ...spec.binds.map((folder): Docker.MountSettings => ({ Type: 'bind', Source: folder, Target: folder })),
  ]
}

/** Healthy: it answers, even if only to ask for a key. Without -T, which crashes static builds of busybox: the engine's timeout ends it. */
const PROBE = `if command -v wget >/dev/null; then out=$(wget -S -O /dev/null "$1" 2>&1)
elif command -v curl >/dev/null; then out=$(curl -s -i -o - "$1" | head -n 1)
else echo 'neither wget nor curl'; exit 127; fi
case "$out" in *HTTP/1.[01]' '[23]*|*HTTP/1.[01]' '40[13]*) exit 0;; esac
exit 1`

/** Exit codes of a probe that could not run at all; -1 is the engine's own. */
export const PROBE_CANNOT_RUN: readonly number[] = [-1, 126, 127]

/** Inside the container, so that it works wherever the engine is; the image needs `sh`, and `wget` or `curl`. */
function healthCheck({ health, ports }: ContainerSpec): Docker.HealthConfig {
  const port = ports.find(({ name }) => name === health.port)?.port ?? ports[0]?.port ?? 80
  const check = {
    // The address is an argument of its own: nothing in it is read by the shell.
    Test: ['CMD', 'sh', '-c', PROBE, 'sh', `http://127.0.0.1:${port}${health.path}`],
    Interval: 15 * SECOND_NS,
    Timeout: 5 * SECOND_NS,
    Retries: 3,
    StartPeriod: 10 * SECOND_NS,
    // Engines from 25 on ask every second until the first success; older ones ignore it.
    StartInterval: SECOND_NS,
  }
  return check
}
