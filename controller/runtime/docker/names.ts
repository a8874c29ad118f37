/**
 * Names and labels of everything made in Docker, and the test whether a thing is ours. Nothing is touched unless its labels say
 * this installation and this name, and it is called (or wired) as such a thing is: labels alone are inherited by copies of an image.
 */
import type { ContainerSpec } from '../../core/container.ts'

export const LABEL = {
  installation: 'dev.tenantry.installation',
  tenant: 'dev.tenantry.tenant',
  product: 'dev.tenantry.product',
  configHash: 'dev.tenantry.config-hash',
  name: 'dev.tenantry.name',
  /** Port names by number, so that one list call tells them: `http=8080,ssh=22`. */
  ports: 'dev.tenantry.ports',
  volume: 'dev.tenantry.volume',
} as const

export type Labels = Readonly<Record<string, string>>

/** The volume that holds rendered files; not among the data that outlives a container. */
export const FILES_VOLUME = 'tenantry-files'
export const FILES_FOLDER = '/run/tenantry'

/** The name of the container and of its network. */
export const containerName = (installation: string, name: string): string => `tenantry-${installation}-${name}`
/** What a replacement is called until its predecessor is gone. */
export const successorName = (installation: string, name: string): string => `${containerName(installation, name)}.next`
export const volumeName = (installation: string, name: string, volume: string): string => `${containerName(installation, name)}-${volume}`

/** Labels of a network or volume, and the part of a container's labels that says whose it is. */
export const ownLabels = (installation: string, name: string): Labels => ({ [LABEL.installation]: installation, [LABEL.name]: name })

export const containerLabels = (installation: string, spec: ContainerSpec, hash: string): Labels => ({
  ...ownLabels(installation, spec.name),
  [LABEL.tenant]: spec.tenant,
  [LABEL.product]: spec.product,
  [LABEL.configHash]: hash,
  [LABEL.ports]: spec.ports.map(({ name, port }) => `${name}=${port}`).join(','),
})

export const hasOwnLabels = (labels: Labels | null | undefined, installation: string, name: string): boolean =>
  labels?.[LABEL.installation] === installation && labels[LABEL.name] === name

/** The engine's filter for labels, written as it wants them. */
export const labelFilter = (labels: Labels): string[] => Object.entries(labels).map(([key, value]) => `${key}=${value}`)
