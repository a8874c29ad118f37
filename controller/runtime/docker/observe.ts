/** Finds this installation's containers and says how they are. Only asks; never changes anything. */
import type Docker from 'dockerode'
import type { TenantId } from '../../core/specs.ts'
import type { ObservedContainer } from '../port.ts'
import { isUnhealthy } from './drift.ts'
import type { Engine } from './engine.ts'
import { nameTaken, orAbsent } from './errors.ts'
import { containerName, hasOwnLabels, LABEL, labelFilter, ownLabels, successorName, type Labels } from './names.ts'

/** Everything of this installation that is called as it should be: one call. */
export async function listObserved({ docker, installation }: Engine): Promise<ObservedContainer[]> {
  const found = await docker.listContainers({ all: true, filters: JSON.stringify({ label: labelFilter({ [LABEL.installation]: installation }) }) })
  return found.filter(({ Names: names, Labels: labels }) => names.includes(`/${containerName(installation, labels[LABEL.name] ?? '')}`)).map(observedFromList)
}

/** The containers of one name, whatever they are called now: its own, one that was renamed by hand, a successor that was never finished. */
export async function findByLabel({ docker, installation }: Engine, name: string): Promise<Docker.ContainerInfo[]> {
  const found = await docker.listContainers({ all: true, filters: JSON.stringify({ label: labelFilter(ownLabels(installation, name)) }) })
  // A container made from a copy of our container's image inherits its labels, but not its network.
  return found.filter(({ HostConfig: host }) => host.NetworkMode === containerName(installation, name))
}

/** The container of this name, found by its name or, where it was renamed, by its labels. */
export async function findContainer(engine: Engine, name: string): Promise<Docker.ContainerInspectInfo | undefined> {
  const { docker, installation } = engine
  const expected = containerName(installation, name)
  const found = await orAbsent(docker.getContainer(expected).inspect())
  if (found !== undefined) {
    if (!hasOwnLabels(found.Config.Labels, installation, name)) throw nameTaken('container', expected)
    return found
  }
  const [renamed] = (await findByLabel(engine, name)).sort((a, b) => rank(a, installation, name) - rank(b, installation, name))
  return renamed === undefined ? undefined : orAbsent(docker.getContainer(renamed.Id).inspect())
}

/** One that was renamed by hand comes before an unfinished successor. */
const rank = ({ Names: names }: Docker.ContainerInfo, installation: string, name: string): number => (names.includes(`/${successorName(installation, name)}`) ? 1 : 0)

export function observedFromInspect({ Id: id, Config: config, State: state, NetworkSettings: network }: Docker.ContainerInspectInfo): ObservedContainer {
  const published = Object.entries(network.Ports).map(([key, bindings]): [string, number] => [key.split('/')[0]!, Number(bindings?.[0]?.HostPort ?? 0)])
  const health = state.Health?.Status === 'unhealthy' && !isUnhealthy(state.Health) ? 'starting' : state.Health?.Status
  return { ...fromLabels(config.Labels), engineId: id, state: stateOf(state.Running && !state.Paused && !state.Restarting, health), ports: namedPorts(config.Labels, published) }
}

function observedFromList({ Id: id, Labels: labels, State: state, Status: status, Ports: ports }: Docker.ContainerInfo): ObservedContainer {
  const published = ports.map(({ PrivatePort: inside, PublicPort: outside }): [string, number] => [String(inside), outside ?? 0])
  return { ...fromLabels(labels), engineId: id, state: stateOf(state === 'running', healthOf(status)), ports: namedPorts(labels, published) }
}

const fromLabels = (labels: Labels): Pick<ObservedContainer, 'name' | 'tenant' | 'product' | 'configHash'> => ({
  name: labels[LABEL.name] ?? '',
  tenant: (labels[LABEL.tenant] ?? '') as TenantId,
  product: labels[LABEL.product] ?? '',
  configHash: labels[LABEL.configHash] ?? '',
})

/** The list tells health only in words: `Up 5 minutes (unhealthy)`. */
const healthOf = (status: string): string | undefined => /\((?:health: )?(starting|unhealthy|healthy)\)/.exec(status)?.[1]

const stateOf = (running: boolean, health: string | undefined): ObservedContainer['state'] =>
  !running ? 'stopped' : health === 'unhealthy' ? 'unhealthy' : health === 'starting' ? 'starting' : 'running'

function namedPorts(labels: Labels, published: readonly [string, number][]): Record<string, number> {
  const byNumber = new Map(published.filter(([, host]) => host > 0))
  const names = (labels[LABEL.ports] ?? '').split(',').map((pair) => pair.split('='))
  return Object.fromEntries(names.flatMap(([name = '', port = '']) => (byNumber.has(port) ? [[name, byNumber.get(port)!]] : [])))
}
