import { beforeAll, describe, expect, it } from 'vitest'
import { buildImage } from '../../../deploy/images/build.ts'
import type { ContainerSpec } from '../../../controller/core/container.ts'
import { has } from '../../support/parts.ts'
import { createTestRuntime, docker, plainSpec, removeInstallation, type TestRuntime } from './support.ts'

describe.skipIf(!has('docker') || !has('sq'))('a pass that dies at any request', () => {
  let test: TestRuntime
  beforeAll(async () => {
    await buildImage('sq', () => undefined)
    test = await createTestRuntime()
  })

  /** Cuts a pass at each of its changing requests in turn, and expects the next pass to finish the work and the one after to find nothing to do. */
  async function expectFinished(wanted: (attempt: number) => ContainerSpec, output: (attempt: number) => string, prepare: () => unknown = () => undefined): Promise<void> {
    for (let attempt = 0, cut = true; cut; attempt++) {
      prepare()
      const spec = wanted(attempt)
      test.cutAfter(attempt)
      cut = await test.runtime.ensure(spec).then(
        () => false,
        () => true,
      )
      test.cutAfter(Infinity)
      const { observed } = await test.runtime.ensure(spec)
      const context = `cut at request ${attempt + 1}`
      expect(await test.runtime.ensure(spec), context).toMatchObject({ action: 'none', observed: { engineId: observed.engineId } })
      const inside = await test.runtime.exec(spec.name, ['sh', '-c', 'cat /run/tenantry/tenants.json; echo $MODE; cat /data/note 2>/dev/null'])
      expect(inside.output, context).toBe(output(attempt))
      expect(docker('ps', '-aq', '--filter', `label=dev.tenantry.installation=${test.installation}`).split('\n'), context).toHaveLength(1)
    }
  }

  const spec = (text: string, mode: string) => plainSpec('dies001', { stopGraceSeconds: 1, reload: ['true'], environment: { MODE: mode }, files: [{ name: 'tenants.json', text }] })

  it('is finished by the next one when it creates', () =>
    expectFinished(
      () => spec('first ', 'test'),
      () => 'first test\n',
      () => removeInstallation(test.installation),
    ))

  const prepared = async () => {
    await test.runtime.ensure(spec('', ''))
    await test.runtime.exec('dies001', ['sh', '-c', 'echo kept >/data/note'])
  }

  it('is finished by the next one when it replaces, and keeps the data', async () => {
    await prepared()
    await expectFinished(
      (attempt) => spec(`text ${attempt} `, `mode ${attempt}`),
      (attempt) => `text ${attempt} mode ${attempt}\nkept\n`,
    )
  })

  it('is finished by the next one when it writes files and reloads', async () => {
    await prepared()
    await expectFinished(
      (attempt) => spec(`text ${attempt} `, ''),
      (attempt) => `text ${attempt} \nkept\n`,
    )
  })
})
