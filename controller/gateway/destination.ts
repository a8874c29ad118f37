/** Where an instance's answer goes: to a client's connection, into memory, or wherever a caller inside the gateway wants it. */
import type { AnswerSink } from './answer-parser.ts'

export interface AnswerWriter extends AnswerSink {
  /** 0 until the instance's head is there; from then on the answer cannot become another one. */
  readonly status: number
  readonly bodyBytes: number
}

export interface Destination {
  /** A new one for each attempt: of one that failed nothing has gone out. */
  writer(): AnswerWriter
  /** Once, when more can be taken after a writer said no. */
  onRoom(resume: () => void): void
  /** Whoever asked went away, or has everything. */
  onGone(gone: () => void): void
  /** Part of the answer is out and the rest never comes: cutting it off is the only honest way to say that it is not whole. */
  cutOff(): void
}
