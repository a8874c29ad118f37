/** A repository file after reading: a spec with the places of its fields, or problems. Made by controller/specs/, consumed by the catalog. */
import type { BlobId, AnySpec, Kind } from './specs.ts'
import type { Problem } from './problem.ts'

/** 1-based line and column. */
export interface Place {
  readonly line: number
  readonly column: number
}

/** One blob of the tree that is a spec file: its path ends in .yaml and lies where a kind is kept. */
export interface SpecFile {
  readonly path: string
  readonly blob: BlobId
  readonly parsed: ParsedSpec
  /** Git's, where it is no plain file. */
  readonly mode?: string
}

export type ParsedSpec =
  | { readonly kind: 'ok'; readonly spec: AnySpec }
  /** `claims` is what the file seems to be about, so that the last good spec of exactly that thing is kept. */
  | { readonly kind: 'bad'; readonly claims: { readonly kind: Kind; readonly name: string }; readonly problems: readonly Problem[] }

/** Where fields stand in a file, asked only when a problem has to be shown: parsing again is cheaper than keeping places for every tenant. */
export type PlaceOf = (path: string, field: string) => Place
