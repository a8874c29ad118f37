/**
 * Which real parts this machine has. Tests that need one are skipped without it, and `npm test` says so at its end, part by
 * part, with the command that installs it; with TENANTRY_TEST_REQUIRE=all a missing part is a failure.
 */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import path from 'node:path'

export type Part = 'docker' | 'sq' | 'stripe-mock' | 'chromium' | 'sshd'

export const INSTALL: Readonly<Record<Part, string>> = {
  docker: 'apt-get install docker.io, then start dockerd (npm run setup does both)',
  sq: 'cargo install sq --version 0.6.0',
  'stripe-mock': 'go install github.com/stripe/stripe-mock@v0.203.0',
  chromium: 'apt-get install chromium',
  sshd: 'apt-get install openssh-server',
}

const EXTRA_FOLDERS = [path.join(homedir(), '.cargo/bin'), path.join(homedir(), 'go/bin'), '/usr/local/sbin', '/usr/sbin', '/sbin']

/** The full path of a program on the PATH, or where cargo, go and Debian put it. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(path.delimiter), ...EXTRA_FOLDERS]
  return folders.map((folder) => path.join(folder, name)).find((file) => existsSync(file))
}

function dockerAnswers(): boolean {
  try {
    execFileSync('docker', ['version', '--format', '{{.Server.Version}}'], { stdio: 'ignore', timeout: 10_000 })
    return true
  } catch {
    return false
  }
}

const known = new Map<Part, boolean>()

export function has(part: Part): boolean {
  const before = known.get(part)
  if (before !== undefined) return before
  const found = part === 'docker' ? dockerAnswers() : findProgram(part) !== undefined
  known.set(part, found)
  return found
}
