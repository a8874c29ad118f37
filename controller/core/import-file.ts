/**
 * Reads what an SQ installation says of its customers, in any of the three ways that are in use: the map that `sq host --config` reads, the
 * list that `sq route` reads (both as SQ 0.6.0 reads them), and the tenants.json of the first sales plan. Unknown JSON becomes entries
 * and faults. No message ever quotes a key.
 */

export type ImportFormat = 'sq-config' | 'sq-route' | 'tenants-json'

/** One key of one customer. */
export interface ImportEntry {
  /** Where it stands, for messages: `entry 3 (ada)`. */
  readonly at: string
  /** The key as customers send it: a secret. */
  readonly token: string
  /** Empty where the file has none, or one that gives the key away. */
  readonly name: string
  /** As it stands in the file; undefined where the file names none. */
  readonly dataDir: string | undefined
  /** Where the customer's own SQ listens, behind `sq route`. */
  readonly port: number | undefined
  readonly email: string | undefined
  readonly username: string | undefined
  readonly storageMb: number | undefined
  readonly tier: string | undefined
  readonly createdAt: string | undefined
  readonly enabled: boolean
}

/** Something that has to be put right before anything is taken over. */
export interface ImportFault {
  readonly at: string
  readonly message: string
  readonly fix: string
}

export interface ImportFile {
  readonly format: ImportFormat
  readonly entries: readonly ImportEntry[]
  readonly faults: readonly ImportFault[]
}

type Fields = Readonly<Record<string, unknown>>

/** Undefined where it is none of the three. */
export function parseImportFile(value: unknown): ImportFile | undefined {
  if (!isFields(value)) return undefined
  const { tenants } = value
  if (Array.isArray(tenants)) {
    const format = tenants.some((each) => isFields(each) && 'token' in each) ? 'sq-route' : 'tenants-json'
    const key = format === 'sq-route' ? 'token' : 'api_key'
    const quota = value['default_quota_mb']
    return collect(format, tenants.map((each: unknown) => (isFields(each) ? { token: each[key], tokenField: key, fields: { quota_mb: quota, ...each } } : undefined)))
  }
  if (!isFields(tenants)) return undefined
  return collect('sq-config', Object.entries(tenants).map(([token, fields]) => (isFields(fields) ? { token, tokenField: 'key', fields } : undefined)))
}

interface Raw {
  readonly token: unknown
  readonly tokenField: string
  readonly fields: Fields
}

function collect(format: ImportFormat, raws: readonly (Raw | undefined)[]): ImportFile {
  const entries: ImportEntry[] = []
  const faults: ImportFault[] = []
  raws.forEach((raw, index) => {
    const name = raw === undefined ? '' : printable(nameIn(raw.fields, raw.token))
    const at = `entry ${index + 1}${name === '' ? '' : ` (${name})`}`
    const found = raw === undefined ? [{ at, message: 'it is no object', fix: 'Write each customer between braces.' }] : faultsOf(format, raw, at)
    faults.push(...found)
    if (raw !== undefined && found.length === 0) entries.push(entryOf(raw, at))
  })
  return { format, entries, faults }
}

function entryOf({ token, fields }: Raw, at: string): ImportEntry {
  const dataDir = textIn(fields, 'data_dir')
  return {
    at,
    token: token as string,
    name: nameIn(fields, token),
    dataDir,
    port: numberIn(fields, 'port'),
    email: textIn(fields, 'email'),
    username: textIn(fields, 'username'),
    storageMb: numberIn(fields, 'quota_mb'),
    tier: textIn(fields, 'tier'),
    createdAt: textIn(fields, 'created_at'),
    enabled: fields['enabled'] !== false,
  }
}

/** A key that no header can carry was never used by anybody. */
const SENDABLE = /^[\x21-\x7e]+$/
const LONGEST_TOKEN = 4096

function faultsOf(format: ImportFormat, { token, tokenField, fields }: Raw, at: string): ImportFault[] {
  const faults: ImportFault[] = []
  const fault = (message: string, fix: string): void => void faults.push({ at, message, fix })
  if (typeof token !== 'string' || token === '') fault(`\`${tokenField}\` is missing`, 'Give the key that the customer sends, or leave the entry out.')
  else if (!SENDABLE.test(token) || token.length > LONGEST_TOKEN) fault(`\`${tokenField}\` holds characters that no request header can carry, or is longer than ${LONGEST_TOKEN}`, 'Nobody can have used it: leave the entry out.')
  if (format !== 'tenants-json' && textIn(fields, 'data_dir') === undefined) fault('`data_dir` is missing', 'SQ does not start without it: give the folder with the data.')
  if (format === 'sq-config' && textIn(fields, 'name') === undefined) fault('`name` is missing', 'SQ does not start without it: give the customer a name.')
  if (format === 'tenants-json' && textIn(fields, 'id') === undefined) fault('`id` is missing', 'Give the customer’s id.')
  if (fields['quota_mb'] !== undefined && fields['quota_mb'] !== null && !(Number.isInteger(fields['quota_mb']) && (fields['quota_mb'] as number) > 0)) fault('`quota_mb` is not a whole number of megabytes', 'Correct it, or leave it out: then the plan’s limit holds.')
  if (fields['enabled'] !== undefined && typeof fields['enabled'] !== 'boolean') fault('`enabled` is neither true nor false', 'Correct it.')
  return faults
}

/** Texts from the file go to terminals and commit messages. */
export function printable(text: string): string {
  const plain = text.replace(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\ufeff]/g, '?')
  return plain.length > 60 ? `${plain.slice(0, 60)}…` : plain
}

/** The folder's own name, of a path of either kind of slash. */
export function lastPart(path: string): string {
  return path.replace(/[/\\]+$/, '').replace(/^.*[/\\]/, '')
}

/** A shorter key may happen to be part of a name. */
const SHORTEST_TELLING = 8

/** By its folder, where it has none of its own. Names go into the repository: one that holds the key itself is none. */
function nameIn(fields: Fields, token: unknown): string {
  const name = textIn(fields, 'name') ?? textIn(fields, 'id') ?? lastPart(textIn(fields, 'data_dir') ?? '')
  return name === token || (typeof token === 'string' && token.length >= SHORTEST_TELLING && name.includes(token)) ? '' : name
}

function textIn(fields: Fields, name: string): string | undefined {
  const value = fields[name]
  return typeof value === 'string' && value !== '' ? value : undefined
}

function numberIn(fields: Fields, name: string): number | undefined {
  const value = fields[name]
  return typeof value === 'number' ? value : undefined
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
