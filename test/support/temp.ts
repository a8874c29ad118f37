/** Temporary folders that are gone after the test file. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll } from 'vitest'

const made: string[] = []

/** A new empty folder, removed after all tests of the file. */
export function tempFolder(name = 'tenantry'): string {
  const folder = mkdtempSync(path.join(tmpdir(), `${name}-`))
  made.push(folder)
  return folder
}

afterAll(() => {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
})
