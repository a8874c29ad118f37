/**
 * Makes the images that Tenantry runs, from what is installed on this machine: no registry is needed. A tree is staged, hashed
 * and imported as one layer; an image that already carries the same hash is left alone, so it can be run any number of times.
 *   node deploy/images/build.ts [sq] [conductor] [contextlite]
 */
import { spawn, spawnSync } from 'node:child_process'
import { createHash, type Hash } from 'node:crypto'
import { chmodSync, copyFileSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, readlinkSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { RECIPES, type ImageName, type Program, type Recipe } from './recipes.ts'

export { RECIPES, type ImageName } from './recipes.ts'

const CONTENT_LABEL = 'dev.tenantry.image-content'
/** Everybody may write here: a fresh volume takes over the mode of the folder that it covers, whoever the container runs as. */
const SHARED_FOLDERS = ['data', 'tmp']
const SHARED_MODE = 0o1777

export type Progress = (line: string) => void

/** Makes the image where it is missing or its content changed. Returns its tag. */
export async function buildImage(name: ImageName, progress: Progress): Promise<string> {
  const recipe = RECIPES[name]
  const stage = mkdtempSync(path.join(tmpdir(), `tenantry-image-${name}-`))
  try {
    stageTree(recipe, stage)
    const content = contentHash(recipe, stage)
    if (imageContent(recipe.tag) === content) {
      progress(`${recipe.tag}: up to date`)
      return recipe.tag
    }
    progress(`${recipe.tag}: importing`)
    await importTree(stage, recipe.tag, [...recipe.changes, `LABEL ${CONTENT_LABEL}=${content}`])
    progress(`${recipe.tag}: made`)
    return recipe.tag
  } finally {
    rmSync(stage, { recursive: true, force: true })
  }
}

function stageTree(recipe: Recipe, stage: string): void {
  for (const folder of [...SHARED_FOLDERS, 'bin', 'run/tenantry', 'root', 'dev', 'proc', 'sys', 'etc']) mkdirSync(path.join(stage, folder), { recursive: true })
  for (const folder of SHARED_FOLDERS) chmodSync(path.join(stage, folder), SHARED_MODE)
  for (const program of recipe.programs) stageProgram(program, stage)
  for (const [to, from] of Object.entries(recipe.files)) stageFile(from, to, stage)
  for (const [to, text] of Object.entries(recipe.texts)) {
    mkdirSync(path.dirname(path.join(stage, to)), { recursive: true })
    writeFileSync(path.join(stage, to), text)
  }
  linkApplets(stage)
}

function stageProgram(program: Program, stage: string): void {
  const from = program.from.find((file) => file !== '' && existsSync(file))
  if (from === undefined) throw new Error(`${path.basename(program.to)} is not installed on this machine, and the image needs it. Install it: ${program.install}`)
  stageFile(from, program.to, stage)
  for (const library of sharedLibraries(from)) stageFile(library, library, stage)
}

function stageFile(from: string, to: string, stage: string): void {
  const target = path.join(stage, to)
  mkdirSync(path.dirname(target), { recursive: true })
  copyFileSync(realpathSync(from), target)
  chmodSync(target, lstatSync(realpathSync(from)).mode & 0o111 ? 0o755 : 0o644)
}

/** The libraries that the loader would map; none for a static program, for which ldd fails. */
function sharedLibraries(program: string): string[] {
  const { stdout } = spawnSync('ldd', [realpathSync(program)], { encoding: 'utf8' })
  return [...(stdout ?? '').matchAll(/(?:=> )?(\/\S+) \(0x/g)].map((match) => match[1]!)
}

function linkApplets(stage: string): void {
  const { stdout } = spawnSync(path.join(stage, 'bin/busybox'), ['--list'], { encoding: 'utf8' })
  for (const applet of (stdout ?? '').split('\n').filter(Boolean)) {
    const link = path.join(stage, 'bin', applet)
    if (!existsSync(link)) symlinkSync('busybox', link)
  }
}

function contentHash(recipe: Recipe, stage: string): string {
  const hash = createHash('sha256').update(JSON.stringify(recipe.changes))
  hashFolder(hash, stage, '')
  return hash.digest('hex')
}

function hashFolder(hash: Hash, stage: string, folder: string): void {
  for (const name of readdirSync(path.join(stage, folder)).sort()) {
    const relative = path.join(folder, name)
    const status = lstatSync(path.join(stage, relative))
    hash.update(JSON.stringify([relative, status.mode, status.isFile() ? status.size : 0]))
    if (status.isSymbolicLink()) hash.update(readlinkSync(path.join(stage, relative)))
    else if (status.isDirectory()) hashFolder(hash, stage, relative)
    else hash.update(readFileSync(path.join(stage, relative)))
  }
}

/** The content hash that the image carries; undefined where there is no such image. */
function imageContent(tag: string): string | undefined {
  const { status, stdout, stderr, error } = spawnSync('docker', ['image', 'inspect', '--format', `{{index .Config.Labels "${CONTENT_LABEL}"}}`, tag], { encoding: 'utf8' })
  if (error) throw new Error('the docker command is missing. Install it: apt-get install docker.io', { cause: error })
  if (status === 0) return stdout.trim()
  if (/no such image|not found/i.test(stderr)) return undefined
  throw new Error(`docker image inspect ${tag} failed: ${stderr.trim()}. Is the engine running?`)
}

/** Owners, times and order are fixed, and everybody may read, whatever the umask of who builds. */
const TAR_OPTIONS = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner', '--mode=a+rX']

async function importTree(stage: string, tag: string, changes: readonly string[]): Promise<void> {
  const tar = spawn('tar', ['-C', stage, ...TAR_OPTIONS, '-c', '.'], { stdio: ['ignore', 'pipe', 'inherit'] })
  const docker = spawn('docker', ['import', ...changes.flatMap((change) => ['--change', change]), '-', tag], { stdio: ['pipe', 'ignore', 'pipe'] })
  const ends = Promise.all([tar, docker].map((child) => new Promise((resolve) => child.on('close', resolve))))
  let stderr = ''
  docker.stderr.on('data', (chunk) => (stderr += String(chunk)))
  // A docker that ends early says why on its standard error; the pipe that it breaks says nothing more.
  await pipeline(tar.stdout, docker.stdin).catch(() => tar.kill())
  const [tarCode, dockerCode] = await ends
  if (tarCode !== 0 || dockerCode !== 0) throw new Error(`importing ${tag} failed (tar ${tarCode}, docker ${dockerCode}): ${stderr.trim()}`)
}

async function main(wanted: readonly string[]): Promise<void> {
  const known = Object.keys(RECIPES) as ImageName[]
  const unknown = wanted.filter((name) => !known.includes(name as ImageName))
  if (unknown.length > 0) {
    process.stderr.write(`no such image: ${unknown.join(', ')}. There are ${known.join(', ')}.\n`)
    process.exitCode = 2
    return
  }
  for (const name of wanted.length > 0 ? (wanted as ImageName[]) : known) await buildImage(name, (line) => process.stderr.write(`${line}\n`))
}

if (import.meta.main) {
  await main(process.argv.slice(2)).catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = 1
  })
}
