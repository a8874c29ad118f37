import { describe, expect, it } from 'vitest'
import { isSpecPath, MAX_SPEC_BYTES, placeOf, locate, refusedEntry } from '../../controller/specs/parse.ts'
import { complaints, parseGood, parser, parseTenant, PLAN, PLATFORM, PRODUCT, TENANT, TENANT_PATH } from './support.ts'

const withTenant = (from: string | RegExp, to: string): string => {
  const text = TENANT.replace(from, to)
  if (text === TENANT) throw new Error(`nothing to replace: ${String(from)}`)
  return text
}

describe('a good file', () => {
  it('becomes a spec without its version', () => {
    expect(parseTenant(TENANT)).toEqual({
      kind: 'Tenant',
      metadata: { name: 'user001' },
      spec: {
        product: 'sq',
        plan: 'sq-founder',
        owner: { email: 'ada@example.com', username: 'ada' },
        state: 'active',
        limits: { storageMb: 5000 },
        keys: [{ id: 'k1', nonce: '5b1c0d9e7f3a42618b0c5d2e9f7a1364', createdAt: '2026-02-12T13:15:00Z' }],
        billing: { customer: 'cus_A1', subscription: 'sub_A1', checkout: 'cs_test_A1' },
      },
    })
  })

  it.each([
    ['products/sq-dedicated.yaml', PRODUCT, 'Product'],
    ['plans/sq-founder.yaml', PLAN, 'Plan'],
    ['platform.yaml', PLATFORM, 'Platform'],
  ])('%s', (path, text, kind) => {
    expect(parseGood(path, text).kind).toBe(kind)
  })

  it('may use comments, CRLF, a byte order mark and brackets', () => {
    expect(complaints(TENANT_PATH, `\ufeff# hello\n${TENANT}`)).toEqual([])
    expect(complaints(TENANT_PATH, TENANT.replaceAll('\n', '\r\n'))).toEqual([])
    expect(complaints(TENANT_PATH, `---\n${TENANT}...\n`)).toEqual([])
  })
})

describe('each mistake is one line with place, field, what and what to do', () => {
  it.each<[string, string, string]>([
    ['an unknown field near a known one', withTenant('storageMb', 'storageMB'), '11:5 spec.limits.storageMB: there is no such field. Did you mean `storageMb`?'],
    ['an unknown field far from all', withTenant('name: user001', 'name: user001\n  labels: {}'), '5:3 metadata.labels: there is no such field. Remove it; the fields here are `name`.'],
    ['a field with an odd name', withTenant('name: user001', 'name: user001\n  "a\\nb": 1'), '5:3 metadata["a\\nb"]: there is no such field. Remove it; the fields here are `name`.'],
    ['a missing field', withTenant('  plan: sq-founder\n', ''), '5:1 spec.plan: this field is missing. Add it, as in `plan: sq-founder`.'],
    ['an unknown word', withTenant('state: active', 'state: activ'), '9:10 spec.state: expected `active`, `suspended`, `ended`, found the text "activ". Did you mean `active`?'],
    ['text for a number', withTenant('5000', '"5000"'), '11:16 spec.limits.storageMb: expected a whole number from 1 to 10000000 or `unlimited`, found the text "5000". Write 5000 without quotes.'],
    ['a word near `unlimited`', withTenant('5000', 'unlimted'), '11:16 spec.limits.storageMb: expected a whole number from 1 to 10000000 or `unlimited`, found the text "unlimted". Did you mean `unlimited`?'],
    ['a fraction', withTenant('5000', '0.5'), '11:16 spec.limits.storageMb: expected a whole number from 1 to 10000000 or `unlimited`, found 0.5. Change the value.'],
    ['a number for text', withTenant('username: ada', 'username: 123'), '8:46 spec.owner.username: expected a lower-case name of letters, digits and hyphens that starts with a letter and ends with a letter or digit, found 123. If 123 is meant as text, put it in quotes.'],
    ['a nonce that YAML takes for a number', withTenant('5b1c0d9e7f3a42618b0c5d2e9f7a1364', '1234567890123456'), '13:24 spec.keys[0].nonce: expected 32 hex digits in lower case, found 1234567890123456. If 1234567890123456 is meant as text, put it in quotes.'],
    ['an upper-case name', withTenant('product: sq', 'product: SQ'), '6:12 spec.product: expected a lower-case name of letters, digits and hyphens that starts with a letter and ends with a letter or digit, found the text "SQ". Change the value.'],
    ['a day that does not exist', withTenant('2026-02-12', '2026-02-31'), '13:69 spec.keys[0].createdAt: expected a time in UTC such as 2026-02-12T13:15:00Z, found the text "2026-02-31T13:15:00Z". Change the value.'],
    ['a time with an offset', withTenant('13:15:00Z', '13:15:00+01:00'), '13:69 spec.keys[0].createdAt: expected a time in UTC such as 2026-02-12T13:15:00Z, found the text "2026-02-12T13:15:00+01:00". Change the value.'],
    ['an address without @', withTenant('ada@example.com', 'ada.example.com'), '8:19 spec.owner.email: expected an e-mail address, found the text "ada.example.com". Change the value.'],
    ['a foreign id of Stripe', withTenant('cus_A1', 'sub_A1'), '14:24 spec.billing.customer: expected an id of Stripe that starts with cus_, found the text "sub_A1". Change the value.'],
    ['a control character in text', withTenant('state: active', 'state: active\n  stateReason: "a\\u202eb"'), '10:16 spec.stateReason: expected one line of text without control characters, found the text "a\\u202eb". Change the value.'],
    ['a text that is too long', withTenant('state: active', `state: active\n  stateReason: ${'x'.repeat(201)}`), '10:16 spec.stateReason: the text is longer than 200 characters. Shorten it to 200 characters.'],
    ['a word for a map', withTenant('  limits:\n    storageMb: 5000', '  limits: many'), '10:11 spec.limits: expected a map of fields, found the text "many". Change the value.'],
    ['nothing for a map', withTenant('    storageMb: 5000\n', ''), '10:3 spec.limits: expected a map of fields, found nothing. Change the value.'],
    ['a word for a list', withTenant(/ {2}keys:\n.*\n/, '  keys: k1\n'), '12:9 spec.keys: expected a list, found the text "k1". Change the value.'],
    ['another version', withTenant('tenantry.dev/v1', 'tenantry.dev/v2'), '1:13 apiVersion: expected `tenantry.dev/v1`, found the text "tenantry.dev/v2". Did you mean `tenantry.dev/v1`?'],
    ['the kind of another folder', withTenant('kind: Tenant', 'kind: Plan'), '2:7 kind: expected `Tenant`, found the text "Plan". Move the file to where a Plan belongs, or correct the kind.'],
    ['an unknown kind', withTenant('kind: Tenant', 'kind: tennant'), '2:7 kind: expected `Tenant`, found the text "tennant". Did you mean `Tenant`?'],
    ['a field twice', withTenant('  state: active', '  state: active\n  state: active'), '10:3 `state` stands here a second time. Keep one of the two.'],
    ['an anchor', withTenant('active', '&a active'), '9:13 anchors (`&`) are not allowed. Remove the anchor; put text that starts with `&` in quotes.'],
    ['a tag', withTenant('5000', '!!int 5000'), '11:22 tags (`!`) are not allowed. Remove the tag; put text that starts with `!` in quotes.'],
    ['a second document', `${TENANT}---\n${TENANT}`, '15:1 a second document starts here. One file holds one document: move the rest to a file of its own.'],
    ['a directive', `%YAML 1.1\n---\n${TENANT}`, '1:1 directives (`%`) are not allowed. Remove the line.'],
    ['an explicit key', withTenant('  state: active', '  ? state\n  : active'), '9:3 a key is introduced with `?`. Write `key: value`.'],
    ['deep brackets', withTenant('5000', '['.repeat(17)), '11:32 brackets are nested more than 16 deep. Look for brackets that were never closed.'],
    ['a tab', withTenant('    storageMb', '\tstorageMb'), '11:1 a tab stands where only spaces may. Indent with two spaces a level.'],
    ['an open quote', withTenant('sq-founder', '"sq-founder'), '15:1 a quote, bracket, comma or space is missing. Close what was opened; a list in brackets needs commas, and `:` a space after it.'],
    ['nothing', '', '1:1 the file is empty. Write a Tenant; the sample repository shows one.'],
    ['a list', '- a\n', '1:1 expected a map of fields, found a list. Write a Tenant; the sample repository shows one.'],
    ['a NUL byte', withTenant('active', 'act\0ive'), '1:1 line 9 has the invisible control character U+0000. Delete it.'],
    ['bytes that are not UTF-8', withTenant('active', 'act\ufffdive'), '1:1 the file is not UTF-8 text. Save it as UTF-8.'],
    ['too many bytes', `# ${'é'.repeat(MAX_SPEC_BYTES / 2)}\n${TENANT}`, '1:1 the file is larger than 64 KiB. A spec is a few hundred bytes: look for what does not belong here.'],
  ])('%s', (_name, text, line) => {
    expect(complaints(TENANT_PATH, text)).toEqual([line])
  })

  it.each<[string, string, string]>([
    ['an unknown way to run', PRODUCT.replace('kind: container', 'kind: containers'), '9:11 spec.run.kind: expected `shared-sq` or `container`, found the text "containers". Did you mean `container`?'],
    ['no way to run', PRODUCT.replace('    kind: container\n', ''), '8:3 spec.run.kind: expected `shared-sq` or `container`, found nothing. Change the value.'],
    ['a prefix that ends in a digit', PRODUCT.replace('prefix: sqd', 'prefix: sq1'), '6:23 spec.tenantId.prefix: expected a short lower-case prefix of letters, digits and hyphens that starts with a letter and does not end with a digit, found the text "sq1". Change the value.'],
    ['a path that climbs', PRODUCT.replace('path: /data', 'path: /data/../etc'), '14:29 spec.run.volumes[0].path: expected an absolute path of letters, digits, dots, hyphens and underscores, below the root and without .., found the text "/data/../etc". Change the value.'],
    ['a capability that Docker does not give', PRODUCT.replace('    pidsLimit', '    capabilities: [SYS_ADMIN]\n    pidsLimit'), '16:20 spec.run.capabilities[0]: expected `AUDIT_WRITE`, `CHOWN`, `DAC_OVERRIDE`, `FOWNER`, `FSETID`, `KILL`, `MKNOD`, `NET_BIND_SERVICE`, `NET_RAW`, `SETFCAP`, `SETGID`, `SETPCAP`, `SETUID`, `SYS_CHROOT`, found the text "SYS_ADMIN". Change the value.'],
    ['a lower-case variable', PRODUCT.replace('    pidsLimit', '    environment: { mode: cloud }\n    pidsLimit'), '16:20 spec.run.environment.mode: the name is not an upper-case name of letters, digits and underscores. Rename it.'],
    ['no ports', PRODUCT.replace(/ {4}ports:\n.*\n/, '    ports: []\n'), '11:5 spec.run.ports: the list needs at least 1 entry. Add one.'],
    ['a folder twice', PRODUCT.replace('    pidsLimit', '    tmpfs: [/tmp, /tmp]\n    pidsLimit'), '16:5 spec.run.tmpfs: the same entry stands in the list twice. Keep one of the two.'],
  ])('in a product: %s', (_name, text, line) => {
    expect(complaints('products/sq-dedicated.yaml', text)).toEqual([line])
  })

  it.each<[string, string]>([
    ['tenants/sq/user001.yml', '1:1 the file name does not end in .yaml. Rename the file to user001.yaml.'],
    ['tenants/a\u0007b.yaml', '1:1 the path "tenants/a\\u0007b.yaml" has control characters, backslashes or bytes that are not UTF-8. Rename the file to plain letters, digits and hyphens.'],
    ['tenants/e\u0301.yaml', '1:1 the path "tenants/e\u0301.yaml" is not in Unicode normal form C. Rename the file: best to plain letters, digits and hyphens.'],
    ['tenants/../user001.yaml', '1:1 the path "tenants/../user001.yaml" has an empty, `.` or `..` part. Move the file to a plain path.'],
    [`tenants/${'x'.repeat(200)}.yaml`, '1:1 the path is 213 characters long, the limit is 200. Move the file to a shorter path.'],
  ])('the path %s', (path, line) => {
    expect(complaints(path, TENANT)).toEqual([line])
  })

  it('a path that would forge a line or command a terminal is never shown as it is', () => {
    const path = 'tenants/x\n::error file=a::owned\u001b[2J.yaml'
    for (const text of [TENANT.replace('sq-founder', '['), 'a: [', '\u0000', '']) {
      const parsed = parser.parse(path, text)
      if (parsed.kind !== 'bad') throw new Error('it is not refused')
      const shown = [parsed.claims.name, ...parsed.problems.map(({ file }) => file)].join(' ')
      expect(shown).not.toMatch(/[\n\u001b]/)
    }
    expect(refusedEntry(path, 'symlink')).toMatchObject({ problems: [{ file: '"tenants/x\\n::error file=a::owned\\u001b[2J.yaml"' }] })
  })

  it('a list of thousands is refused before its entries are compared with each other', () => {
    const features = Array.from({ length: 12_000 }, (_, i) => i.toString(36)).join(',')
    expect(complaints('plans/sq-founder.yaml', `${PLAN}  features: [${features}]\n`)).toEqual(['10:3 spec.features: there are more than 1000 entries. A spec has a few: look for what does not belong here.'])
  })

  it('a product in a folder below products/', () => {
    expect(complaints('products/eu/sq.yaml', PRODUCT)).toEqual(['1:1 a Product lies directly in products/. Move the file to products/sq.yaml.'])
  })

  it('all at once, in the order of the file', () => {
    const text = withTenant('storageMb', 'storageMB').replace('state: active', 'state: activ').replace('cus_A1', 'A1').replace('  plan: sq-founder\n', '')
    expect(complaints(TENANT_PATH, text).map((line) => line.split(' ')[1])).toEqual(['spec.plan:', 'spec.state:', 'spec.limits.storageMB:', 'spec.billing.customer:'])
  })

  it('never shows what looks like a secret', () => {
    const key = `pmb-v1-${'0123456789'.repeat(4)}`
    const lines = complaints(TENANT_PATH, withTenant('5b1c0d9e7f3a42618b0c5d2e9f7a1364', key))
    expect(lines).toEqual(['13:24 spec.keys[0].nonce: expected 32 hex digits in lower case, found text. If this is a secret, revoke it: nothing secret belongs in git.'])
  })
})

describe('a bad file is about the thing it names', () => {
  it.each<[string, string, string]>([
    ['a wrong field', withTenant('5000', 'x'), 'user001'],
    ['broken YAML below the name', withTenant('keys:', 'keys: [{'), 'user001'],
    ['brackets that nobody reads', `${TENANT}${'{'.repeat(100)}`, 'user001'],
    ['no name at all', 'kind: Tenant', 'user007'],
    ['a name that is none', withTenant('user001', 'User/1'), 'user007'],
    ['nothing', '', 'user007'],
  ])('%s', (_name, text, name) => {
    const parsed = parser.parse('tenants/sq/000/user007.yaml', text)
    expect(parsed).toMatchObject({ kind: 'bad', claims: { kind: 'Tenant', name } })
  })

  it('also when it is a symlink, a submodule or too large', () => {
    for (const reason of ['symlink', 'submodule', 'oversized'] as const) {
      const parsed = refusedEntry('plans/sq-founder.yaml', reason)
      expect(parsed).toMatchObject({ kind: 'bad', claims: { kind: 'Plan', name: 'sq-founder' }, problems: [{ file: 'plans/sq-founder.yaml', line: 1, column: 1 }] })
    }
  })
})

describe('which files are specs', () => {
  it.each(['platform.yaml', 'platform.yml', 'products/sq.yaml', 'plans/a/b.yaml', 'tenants/user001.yaml', 'tenants/sq/000/user001.yaml'])('%s is', (path) => {
    expect(isSpecPath(path)).toBe(true)
  })
  it.each(['README.md', '.github/workflows/validate.yaml', 'tenants/README.md', 'schemas/tenant.schema.json', 'docs/platform.yaml', 'tenants.yaml', ''])('%s is not', (path) => {
    expect(isSpecPath(path)).toBe(false)
  })
})

describe('the place of a field', () => {
  it.each<[string, number, number]>([
    ['spec.limits.storageMb', 11, 16],
    ['spec.limits', 10, 3],
    ['spec.keys[0].nonce', 13, 24],
    ['spec.keys[7].nonce', 12, 3],
    ['spec.hold.until', 5, 1],
    ['', 1, 1],
  ])('%s', (field, line, column) => {
    expect(placeOf(TENANT, field)).toEqual({ line, column })
  })

  it('is added to what the core finds', () => {
    expect(locate({ file: TENANT_PATH, field: 'spec.plan', message: 'm', fix: 'f' }, TENANT)).toEqual({ file: TENANT_PATH, line: 7, column: 9, field: 'spec.plan', message: 'm', fix: 'f' })
  })
})
