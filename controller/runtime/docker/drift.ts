/**
 * Compares a container as it should be with the one that is there, field by field, and names the smallest repair for each
 * difference. Pure: it takes what the engine answered. Values that could hold something secret are shown as digests.
 */
import { createHash } from 'node:crypto'
import type Docker from 'dockerode'
import type { FieldDrift } from '../../core/container.ts'
import { LABEL } from './names.ts'
import { canonicalJson, type CreateRequest } from './request.ts'

/** `wait`: the engine is already restarting it. */
export type Repair = 'replace' | 'rename' | 'unpause' | 'update' | 'connect' | 'disconnect' | 'files' | 'restart' | 'start' | 'wait'

export interface Deviation extends FieldDrift {
  readonly repair: Repair
}

export interface Wanted {
  readonly name: string
  readonly request: CreateRequest
  /** Undefined where the engine has no image of that name (any more): then what depends on it is not compared. */
  readonly image: Docker.ImageInspectInfo | undefined
}

export const shortDigest = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex').slice(0, 12)}`

export function findDrift(wanted: Wanted, found: Docker.ContainerInspectInfo): Deviation[] {
  return [...nameDrift(wanted, found), ...imageDrift(wanted, found), ...fixedDrift(wanted, found), ...liveDrift(wanted, found), ...networkDrift(wanted, found), ...stateDrift(found)]
}

function nameDrift(wanted: Wanted, found: Docker.ContainerInspectInfo): Deviation[] {
  const name = found.Name.replace(/^\//, '')
  return name === wanted.name ? [] : [{ field: 'name', wanted: wanted.name, found: name, repair: 'rename' }]
}

function imageDrift({ image }: Wanted, found: Docker.ContainerInspectInfo): Deviation[] {
  if (image === undefined || image.Id === found.Image) return []
  return [{ field: 'image', wanted: shortId(image.Id), found: shortId(found.Image), repair: 'replace' }]
}

const shortId = (id: string): string => id.replace('sha256:', '').slice(0, 12)

const ABSENT = 'absent'

function difference(wanted: ReadonlyMap<string, string>, found: ReadonlyMap<string, string>, repair: Repair): Deviation[] {
  const fields = new Set([...wanted.keys(), ...found.keys()])
  return [...fields]
    .filter((field) => wanted.get(field) !== found.get(field))
    .map((field) => ({ field, wanted: wanted.get(field) ?? ABSENT, found: found.get(field) ?? ABSENT, repair }))
}

/** What cannot change in the life of a container: another value means another container. */
function fixedDrift({ request, image }: Wanted, found: Docker.ContainerInspectInfo): Deviation[] {
  const defaults = image?.Config
  const merged: FixedConfig = {
    User: request.User ?? defaults?.User ?? found.Config.User,
    Cmd: request.Cmd ?? defaults?.Cmd ?? found.Config.Cmd,
    Env: image === undefined ? found.Config.Env : mergeEnvironment(defaults?.Env ?? [], request.Env ?? []),
    Labels: request.Labels,
    Healthcheck: request.Healthcheck,
    StopTimeout: request.StopTimeout,
  }
  return difference(fixedFields(merged, request.HostConfig), fixedFields(found.Config as FixedConfig, found.HostConfig), 'replace')
}

interface FixedConfig {
  readonly User?: string | undefined
  readonly Cmd?: readonly string[] | null | undefined
  readonly Env?: readonly string[] | null | undefined
  readonly Labels: Readonly<Record<string, string>>
  readonly Healthcheck?: Docker.HealthConfig | undefined
  readonly StopTimeout?: number | undefined
}

function mergeEnvironment(defaults: readonly string[], wanted: readonly string[]): string[] {
  return [...new Map([...defaults, ...wanted].map((line) => [line.split('=', 1)[0]!, line])).values()]
}

function fixedFields(config: FixedConfig, host: Docker.HostConfig): Map<string, string> {
  const fields = new Map<string, string>([
    ['user', config.User ?? ''],
    ['command', JSON.stringify(config.Cmd ?? [])],
    ['health', healthText(config.Healthcheck)],
    ['stopGraceSeconds', String(config.StopTimeout ?? '')],
    ['capabilities', JSON.stringify({ add: capabilities(host.CapAdd), drop: capabilities(host.CapDrop) })],
    ['privileged', String(host.Privileged ?? false)],
    ['readOnlyRoot', String(host.ReadonlyRootfs ?? false)],
    ['securityOptions', JSON.stringify([...((host.SecurityOpt as string[] | null) ?? [])].sort())],
    ['init', String(host.Init ?? false)],
    ['networkMode', host.NetworkMode ?? ''],
    ['ports', canonicalJson(host.PortBindings ?? {})],
    ['volumes', mountsText(host)],
    ['tmpfs', canonicalJson(host.Tmpfs ?? {})],
    ['log', canonicalJson(host.LogConfig ?? {})],
  ])
  for (const label of Object.values(LABEL)) if (config.Labels[label] !== undefined) fields.set(`label/${label}`, config.Labels[label])
  for (const line of config.Env ?? []) {
    const name = line.split('=', 1)[0]!
    fields.set(`environment/${name}`, shortDigest(line.slice(name.length + 1)))
  }
  return fields
}

function healthText(check: Docker.HealthConfig | undefined): string {
  if (check === undefined) return ABSENT
  return canonicalJson([check.Test?.at(-1), shortDigest(JSON.stringify(check.Test)), check.Interval, check.Timeout, check.Retries, check.StartPeriod])
}

/** Newer engines write CAP_CHOWN where older ones write CHOWN. */
const capabilities = (list: unknown): string[] => ((list as string[] | null | undefined) ?? []).map((name) => name.replace(/^CAP_/, '')).sort()

function mountsText(host: Docker.HostConfig): string {
  const mounts = ((host.Mounts as Docker.MountSettings[] | null | undefined) ?? []).map((mount) => `${mount.Type} ${mount.Source} on ${mount.Target}${mount.ReadOnly ? ' read-only' : ''}`)
  return JSON.stringify([...mounts, ...((host.Binds as string[] | null | undefined) ?? [])].sort())
}

function liveDrift({ request }: Wanted, found: Docker.ContainerInspectInfo): Deviation[] {
  return difference(liveFields(request.HostConfig), liveFields(found.HostConfig), 'update')
}

const MIB = 1024 * 1024
export const UNLIMITED = 'unlimited'

function liveFields(host: Docker.HostConfig): Map<string, string> {
  return new Map([
    ['memoryMb', String((host.Memory ?? 0) / MIB)],
    ['memoryAndSwapMb', host.MemorySwap === -1 ? UNLIMITED : String((host.MemorySwap ?? 0) / MIB)],
    ['cpus', String((host.NanoCpus ?? 0) / 1e9)],
    ['pidsLimit', String((host.PidsLimit as number | null | undefined) ?? 0)],
    ['restartPolicy', host.RestartPolicy?.Name ?? ''],
  ])
}

/** In its own network, and in no other: that would be a way to somebody else. */
function networkDrift({ name }: Wanted, found: Docker.ContainerInspectInfo): Deviation[] {
  const networks = Object.keys(found.NetworkSettings.Networks)
  const others = networks.filter((network) => network !== name)
  return [
    ...(networks.includes(name) ? [] : [{ field: 'network', wanted: name, found: 'not connected', repair: 'connect' as const }]),
    ...others.map((network) => ({ field: `network/${network}`, wanted: 'not connected', found: 'connected', repair: 'disconnect' as const })),
  ]
}

function stateDrift({ State: state }: Docker.ContainerInspectInfo): Deviation[] {
  const drift = (found: string, repair: Repair): Deviation[] => [{ field: 'state', wanted: 'running', found, repair }]
  if (state.Dead || state.Status === 'removing') return drift(state.Status, 'replace')
  if (state.Paused) return drift('paused', 'unpause')
  if (state.Restarting) return drift(`restarting after exit code ${state.ExitCode}`, 'wait')
  if (!state.Running) return drift(state.Status === 'created' ? 'created, never started' : `${state.Status} with exit code ${state.ExitCode}`, 'start')
  if (!isUnhealthy(state.Health)) return []
  return [{ field: 'health', wanted: 'healthy', found: `unhealthy: ${state.Health?.FailingStreak} checks failed in a row`, repair: 'restart' }]
}

/** The engine also says `unhealthy` when a pause only interrupted its checks; then none has failed. */
export const isUnhealthy = (health: Docker.ContainerInspectInfo['State']['Health']): boolean => health?.Status === 'unhealthy' && health.FailingStreak > 0
