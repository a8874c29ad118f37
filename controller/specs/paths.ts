/** Which file of the tenant repository may hold which kind. Every other file (README.md, .github) is no business of Tenantry's. */
import type { Kind } from '../core/specs.ts'
import { quote } from './field.ts'

const MAX_PATH = 200

/** Text with control characters, invisible direction marks or a byte that was not UTF-8. */
const ODD = /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\ufeff\ufffd\\]/

const FOLDERS: readonly (readonly [folder: string, kind: Kind])[] = [
  ['tenants/', 'Tenant'],
  ['plans/', 'Plan'],
  ['products/', 'Product'],
]

/** The kind that a path's folder stands for; undefined for a file that is not a spec. `.yml` counts, so that a wrong ending is said and not overlooked. */
export function kindOfPath(path: string): Kind | undefined {
  if (!/\.ya?ml$/i.test(path)) return undefined
  if (/^platform\.ya?ml$/i.test(path)) return 'Platform'
  return FOLDERS.find(([folder]) => path.startsWith(folder))?.[1]
}

export function isSpecPath(path: string): boolean {
  return kindOfPath(path) !== undefined
}

/** A path, or a part of one, as it may be shown: one that could forge a line or command a terminal is quoted and escaped. */
export function shownPath(path: string): string {
  return ODD.test(path) ? quote(path) : path
}

/** The file's name without folder and ending: what a file that cannot be read is taken to be about. */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1).replace(/\.ya?ml$/i, '')
}

/** Why a spec may not lie at this path, with what to do; undefined where it may. */
export function pathRefusal(path: string, kind: Kind): { readonly message: string; readonly fix: string } | undefined {
  if (ODD.test(path)) return { message: `the path ${quote(path)} has control characters, backslashes or bytes that are not UTF-8`, fix: 'Rename the file to plain letters, digits and hyphens.' }
  if (path.length > MAX_PATH) return { message: `the path is ${path.length} characters long, the limit is ${MAX_PATH}`, fix: 'Move the file to a shorter path.' }
  if (path.normalize('NFC') !== path) return { message: `the path ${quote(path)} is not in Unicode normal form C`, fix: 'Rename the file: best to plain letters, digits and hyphens.' }
  if (path.split('/').some((step) => step === '' || step === '.' || step === '..')) {
    return { message: `the path ${quote(path)} has an empty, \`.\` or \`..\` part`, fix: 'Move the file to a plain path.' }
  }
  if (!path.endsWith('.yaml')) return { message: 'the file name does not end in .yaml', fix: `Rename the file to ${baseName(path)}.yaml.` }
  if (kind === 'Platform' && path !== 'platform.yaml') return { message: 'the platform file is named platform.yaml, in lower case', fix: 'Rename it.' }
  if ((kind === 'Plan' || kind === 'Product') && path.split('/').length > 2) {
    const folder = path.slice(0, path.indexOf('/') + 1)
    return { message: `a ${kind} lies directly in ${folder}`, fix: `Move the file to ${folder}${baseName(path)}.yaml.` }
  }
  return undefined
}
