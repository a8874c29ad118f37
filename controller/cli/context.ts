/** What a command works with: the parts of `process` that it may use, and the two ways to answer. */
import type { Machine } from '../machine.ts'
import { openInstallation, type Installation, type OpenOptions } from '../installation.ts'
import { readSettings, withDotEnv, type ReadSettingsOptions, type Settings } from '../settings.ts'

export interface CliContext {
  readonly machine: Machine
  /** The folder that relative paths are taken from. */
  readonly folder: string
  /** Folder of the program itself: the sample repository, the bundled SQ and the gateway lie there. */
  readonly programFolder: string
  readonly version: string
  readonly isTerminal: boolean
  writeOut(text: string): void
  writeError(text: string): void
  /** Called for SIGINT and SIGTERM. */
  onSignal(handle: (signal: 'SIGINT' | 'SIGTERM') => void): void
  readonly now: () => Date
  /** Who runs the command, for commit messages and the audit trail. */
  readonly person: { readonly name: string; readonly email: string }
}

/** The exit codes that scripts rely on (INTERFACES.md). */
export const EXIT = { done: 0, failed: 1, invalid: 2, changes: 3, approvalNeeded: 4 } as const
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** Something that the person who typed the command can put right. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** A command's answer: as JSON on standard output with --json, otherwise as text for people on standard error or, where it is the result itself, on standard output. */
export interface Answer {
  readonly json: unknown
  readonly text: string
  readonly exitCode?: ExitCode
}

export function settingsOf({ machine, folder }: CliContext, options?: ReadSettingsOptions): Settings {
  return readSettings(withDotEnv(machine.environment, folder), folder, options)
}

/** Opens the installation for one command and closes it again. */
export async function withInstallation<T>(context: CliContext, work: (installation: Installation) => Promise<T>, options: Partial<OpenOptions> & ReadSettingsOptions = {}): Promise<T> {
  const installation = await openInstallation(settingsOf(context, options), { environment: context.machine.environment, now: context.now, ...options })
  try {
    return await work(installation)
  } finally {
    await installation.close()
  }
}

/** Aligned columns for people. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)))
  return rows.map((row) => row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column]!))).join('  ').trimEnd()).join('\n')
}
