import { Ajv2020 } from 'ajv/dist/2020.js'
import metaSchema from 'ajv/dist/refs/json-schema-2020-12/schema.json' with { type: 'json' }
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'

const FOLDER = path.join(import.meta.dirname, '../../schemas')
const FILES = readdirSync(FOLDER)
const read = (file: string): Record<string, unknown> => JSON.parse(readFileSync(path.join(FOLDER, file), 'utf8')) as Record<string, unknown>

type Node = Record<string, unknown>

/** Every object schema with the fields it describes, by a path for messages. */
function* objects(node: unknown, at: string): Generator<[string, Node]> {
  if (typeof node !== 'object' || node === null) return
  const { type } = node as Node
  if (type === 'object') yield [at, node as Node]
  for (const [key, value] of Object.entries(node)) if (key !== 'examples') yield* objects(value, `${at}/${key}`)
}

describe('the schemas', () => {
  it('are four kinds and what they share', () => {
    expect(FILES).toEqual(['common.schema.json', 'plan.schema.json', 'platform.schema.json', 'product.schema.json', 'tenant.schema.json'])
  })

  it.each(FILES)('%s is valid 2020-12', (file) => {
    const ajv = new Ajv2020({ strict: true, discriminator: true, formats: { 'date-time': true } })
    expect(metaSchema.$id).toBe(read(file)['$schema'])
    expect(ajv.validateSchema(read(file))).toBe(true)
    for (const other of FILES) ajv.addSchema(read(other))
    expect(() => ajv.getSchema(read(file)['$id'] as string)).not.toThrow()
  })

  it.each(FILES)('%s lets no unknown field through and describes every field', (file) => {
    for (const [at, node] of objects(read(file), file)) {
      if (node['propertyNames'] === undefined && node['oneOf'] === undefined) expect(node['additionalProperties'], at).toBe(false)
      for (const [name, field] of Object.entries((node['properties'] ?? {}) as Record<string, Node>)) expect(field['description'], `${at}/${name}`).toBeTypeOf('string')
    }
  })

  it('gives words to every pattern, for people', () => {
    const patterns: string[] = []
    const visit = (node: unknown, at: string): void => {
      if (typeof node !== 'object' || node === null) return
      if (typeof (node as Node)['pattern'] === 'string' && typeof (node as Node)['title'] !== 'string') patterns.push(at)
      for (const [key, value] of Object.entries(node)) visit(value, `${at}/${key}`)
    }
    for (const file of FILES) visit(read(file), file)
    expect(patterns).toEqual([])
  })
})
