/** HOME/run.json: where the running controller can be reached. Read by the commands and by the push hook. */
import { existsSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { request } from 'node:http'

export interface RunFile {
  readonly pid: number
  readonly publicUrl: string
  /** Where the public port answers on this machine. */
  readonly localUrl: string
  readonly adminUrl: string
  readonly port: number
  readonly adminPort: number
  readonly sandboxUrl?: string
}

export const runFilePath = (home: string): string => path.join(home, 'run.json')

export function readRunFile(home: string): RunFile | undefined {
  const file = runFilePath(home)
  if (!existsSync(file)) return undefined
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as RunFile
  } catch {
    return undefined
  }
}

export const removeRunFile = (home: string): void => rmSync(runFilePath(home), { force: true })

/** Tells the running controller to look. True where one heard it; the timer and the watch see the change all the same. */
export function pokeController(home: string): Promise<boolean> {
  const running = readRunFile(home)
  if (running === undefined) return Promise.resolve(false)
  return new Promise((resolve) => {
    const asked = request(`${running.adminUrl}/poke`, { method: 'POST', agent: false, timeout: 2_000 }, (answer) => {
      answer.resume()
      resolve(answer.statusCode === 202)
    })
    asked.on('timeout', () => asked.destroy())
    asked.on('error', () => resolve(false))
    asked.end()
  })
}
