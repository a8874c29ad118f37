/** Whether everybody was told what is to be told, and no more than once, by how the files of tenants went: the watcher is not asked. */
import type { Tenant } from '../../controller/core/specs.ts'
import { DAY_MS, type World } from './world.ts'

interface Told {
  readonly cause: string
  readonly kind: string
  readonly recipient: string
  readonly mail: string
}

export function mailFaults(world: World): string[] {
  const mails = world.db.prepare('SELECT cause, kind, recipient, mail FROM mails').all() as unknown as Told[]
  const byTenant = Map.groupBy(mails, ({ mail }) => (JSON.parse(mail) as { tenant: string }).tenant)
  const histories = historiesOf(world)
  const tenants = world.repository.tenants()
  return [
    ...tenants.flatMap((tenant) => faultsOf(tenant, histories.get(tenant.metadata.name)!, byTenant.get(tenant.metadata.name) ?? [], world.agenda.now())),
    ...[...byTenant.keys()].filter((name) => !tenants.some(({ metadata }) => metadata.name === name)).map((name) => `mail about ${name}, whom there is not`),
  ]
}

/** What happened to a tenant so far: how often it came into each state, and each time that its file named. */
interface History {
  state: string
  readonly entered: Map<string, number>
  readonly graces: Set<string>
  readonly cancels: Set<string>
}

function historiesOf({ repository }: World): Map<string, History> {
  const histories = new Map<string, History>()
  for (const { files } of repository.commits) {
    for (const { path, text } of files) {
      const name = path.slice(path.lastIndexOf('/') + 1, path.lastIndexOf('.'))
      const history = histories.get(name) ?? { state: '', entered: new Map(), graces: new Set(), cancels: new Set() }
      histories.set(name, history)
      const word = (field: string): string | undefined => new RegExp(`^ +${field}: ['"]?([^'"\\n]+)`, 'm').exec(text ?? '')?.[1]
      const state = word('state')!
      if (state !== history.state) history.entered.set(state, (history.entered.get(state) ?? 0) + 1)
      history.state = state
      const [grace, cancel] = [word('graceUntil'), word('cancelAt')]
      if (grace !== undefined) history.graces.add(grace)
      if (cancel !== undefined) history.cancels.add(cancel)
    }
  }
  return histories
}

/** How many there must and may be of each kind. */
function faultsOf({ metadata: { name }, spec }: Tenant, { entered, graces, cancels }: History, mails: readonly Told[], now: Date): string[] {
  const { state, billing, endedAt } = spec
  const isOwed = (due: boolean): number => (due ? 1 : 0)
  const bounds: readonly (readonly [kind: string, least: number, most: number])[] = [
    ['welcome', isOwed(state === 'active'), 1],
    ['payment-failed', isOwed(state === 'active' && billing?.status === 'past_due'), graces.size],
    ['suspended', isOwed(state === 'suspended'), entered.get('suspended') ?? 0],
    ['ending', isOwed(state !== 'ended' && billing?.cancelAt !== undefined && Date.parse(billing.cancelAt) > now.getTime()), cancels.size],
    ['ended', isOwed(state === 'ended' && Date.parse(endedAt!) + 30 * DAY_MS > now.getTime()), entered.get('ended') ?? 0],
  ]
  return [
    ...bounds.flatMap(([kind, least, most]) => {
      const count = mails.filter((mail) => mail.kind === kind).length
      return count < least || count > most ? [`${name} was sent ${count} mails of ${kind}, and was to have ${least === most ? least : `${least} to ${most}`}`] : []
    }),
    ...mails.filter(({ recipient }) => recipient !== spec.owner.email).map(({ cause }) => `${cause} went to somebody else`),
  ]
}
