/**
 * Reads blobs through one long-lived `git cat-file --batch-command`: sizes first, so that nothing over the limit is ever read,
 * then contents in groups of bounded size. A process that dies is started again; one that is asked for a missing object
 * answers so and goes on. Reads only, and knows nothing of what is in the blobs.
 */
import type { BlobId } from '../core/specs.ts'
import { checkObjectId, type GitCommand, type RunningGit } from './git-command.ts'
import type { Blob } from './port.ts'

export interface ObjectReader {
  /** As GitRepository.read. */
  read(blobs: readonly BlobId[], maxBytes: number): AsyncGenerator<Blob, void, undefined>
  /** Ends the process once it is idle; the next read starts a new one. Lets go of packs that a `gc` has replaced. */
  recycle(): Promise<void>
  close(): Promise<void>
}

interface Answer {
  readonly id: string
  /** `missing`, or an object's type. */
  readonly type: string
  readonly size: number
  readonly text?: string
}

type Command = 'info' | 'contents'

/** Objects asked about at once: enough that the round trip costs nothing, few enough that memory stays small. */
const OBJECTS_AT_ONCE = 1000
/** Contents in memory at once, unless one blob alone is larger. */
const BYTES_AT_ONCE = 4 * 1024 * 1024

export function createObjectReader(git: GitCommand): ObjectReader {
  let session: Session | undefined
  let queue: Promise<unknown> = Promise.resolve()
  let closed = false

  /** One exchange at a time, each read to its end: a reader that stops early leaves nothing behind in the pipe. */
  function inTurn<T>(task: () => Promise<T>): Promise<T> {
    const result = queue.then(task)
    queue = result.catch(() => undefined)
    return result
  }

  async function ask(command: Command, ids: readonly string[]): Promise<Answer[]> {
    if (closed) throw new Error(`The repository ${git.folder} is closed.`)
    if (ids.length === 0) return []
    return inTurn(async () => {
      // Reading twice is harmless, so a process that was killed between two reads is not an error of this one.
      const reused = session?.alive() === true
      session = reused ? session! : startSession(git)
      try {
        return await session.ask(command, ids)
      } catch (error) {
        if (!reused || closed) throw error
        session = startSession(git)
        return session.ask(command, ids)
      }
    })
  }

  async function* contents(wanted: readonly Answer[], maxBytes: number): AsyncGenerator<Blob, void, undefined> {
    for (const group of groupsBySize(wanted, maxBytes)) {
      const small = group.filter((answer) => answer.size <= maxBytes)
      const texts = (await ask('contents', small.map((answer) => answer.id))).values()
      for (const answer of group) {
        const id = answer.id as BlobId
        if (answer.size > maxBytes) yield { id, size: answer.size }
        else yield { id, size: answer.size, text: blobOnly(texts.next().value!, git.folder).text! }
      }
    }
  }

  return {
    async *read(blobs, maxBytes) {
      for (const id of blobs) checkObjectId(id)
      for (let start = 0; start < blobs.length; start += OBJECTS_AT_ONCE) {
        const answers = await ask('info', blobs.slice(start, start + OBJECTS_AT_ONCE))
        for (const answer of answers) blobOnly(answer, git.folder)
        yield* contents(answers, maxBytes)
      }
    },
    recycle: () =>
      inTurn(async () => {
        await session?.end()
        session = undefined
      }),
    async close() {
      closed = true
      await session?.end()
    },
  }
}

function blobOnly(answer: Answer, folder: string): Answer {
  if (answer.type === 'blob') return answer
  throw new Error(
    answer.type === 'missing' ? `The object ${answer.id} is missing in ${folder}: run "git fsck" there.` : `The object ${answer.id} in ${folder} is a ${answer.type}, not a file.`,
  )
}

function groupsBySize(answers: readonly Answer[], maxBytes: number): Answer[][] {
  const groups: Answer[][] = [[]]
  let bytes = 0
  for (const answer of answers) {
    const cost = answer.size <= maxBytes ? answer.size : 0
    if (bytes > 0 && bytes + cost > BYTES_AT_ONCE) {
      groups.push([])
      bytes = 0
    }
    groups.at(-1)!.push(answer)
    bytes += cost
  }
  return groups
}

interface Session {
  alive(): boolean
  ask(command: Command, ids: readonly string[]): Promise<Answer[]>
  end(): Promise<void>
}

function startSession(git: GitCommand): Session {
  // --buffer: git answers a whole group at its `flush`, not with one write for each object.
  const { child, done }: RunningGit = git.launch(['cat-file', '--batch-command', '--buffer'])
  const received = createByteQueue()
  let ended: Error | undefined
  let pending: { command: Command; count: number; answers: Answer[]; resolve: (answers: Answer[]) => void; reject: (error: Error) => void } | undefined

  function fail(error: Error): void {
    ended = error
    pending?.reject(error)
    pending = undefined
  }

  function advance(): void {
    while (pending !== undefined) {
      const answer = takeAnswer(received, pending.command)
      if (answer === undefined) return
      pending.answers.push(answer)
      if (pending.answers.length < pending.count) continue
      const { resolve, answers } = pending
      pending = undefined
      resolve(answers)
    }
  }

  child.stdout.on('data', (chunk: Buffer) => {
    received.push(chunk)
    advance()
  })
  done.then(
    () => fail(new Error(`git cat-file ended in ${git.folder}.`)),
    (error: Error) => fail(error),
  )

  return {
    alive: () => ended === undefined,
    ask(command, ids) {
      return new Promise((resolve, reject) => {
        if (ended !== undefined) return reject(ended)
        pending = { command, count: ids.length, answers: [], resolve, reject }
        child.stdin.write(`${command} ${ids.join(`\n${command} `)}\nflush\n`)
      })
    },
    async end() {
      child.stdin.end()
      await done.catch(() => undefined)
    },
  }
}

/** `OID TYPE SIZE<LF>`, after `contents` with the bytes and a line feed behind it; or `OID missing<LF>`. Undefined until all of it is there. */
function takeAnswer(received: ByteQueue, command: Command): Answer | undefined {
  const bytes = received.bytes()
  const lineEnd = bytes.indexOf(0x0a)
  if (lineEnd === -1) return undefined
  const [id = '', type = '', sizeText] = bytes.toString('latin1', 0, lineEnd).split(' ')
  const size = Number(sizeText ?? 0)
  if (command === 'info' || sizeText === undefined) {
    received.drop(lineEnd + 1)
    return { id, type, size }
  }
  const end = lineEnd + 1 + size
  if (bytes.length < end + 1) return undefined
  const text = bytes.toString('utf8', lineEnd + 1, end)
  received.drop(end + 1)
  return { id, type, size, text }
}

interface ByteQueue {
  push(chunk: Buffer): void
  bytes(): Buffer
  drop(count: number): void
}

const SMALLEST_QUEUE_BYTES = 256 * 1024

/** Bytes that come in chunks and are taken from the front: doubles when full, so the cost stays in proportion to the bytes. */
function createByteQueue(): ByteQueue {
  let store = Buffer.allocUnsafeSlow(SMALLEST_QUEUE_BYTES)
  let start = 0
  let end = 0

  function makeRoom(count: number): void {
    const held = end - start
    const target = held + count > store.length ? Buffer.allocUnsafeSlow(Math.max(store.length * 2, held + count)) : store
    store.copy(target, 0, start, end)
    store = target
    start = 0
    end = held
  }

  return {
    push(chunk) {
      if (end + chunk.length > store.length) makeRoom(chunk.length)
      chunk.copy(store, end)
      end += chunk.length
    },
    bytes: () => store.subarray(start, end),
    drop(count) {
      start += count
      if (start < end) return
      start = end = 0
      // What one large blob needed is given back.
      if (store.length > 4 * BYTES_AT_ONCE) store = Buffer.allocUnsafeSlow(SMALLEST_QUEUE_BYTES)
    },
  }
}
