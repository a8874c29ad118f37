/** What the entry point gives: the parts of `process` that the controller needs. */
export interface Machine {
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly node: string
  readonly pid: number
  readonly kill: (pid: number, signal: NodeJS.Signals) => void
  /** `UID:GID` of this program. */
  readonly user: string
  readonly now: () => Date
  readonly chance: () => number
}
