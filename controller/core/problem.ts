/** What is wrong with a file: always what, where and what to do, so that a person can act on the line alone. */

export interface Problem {
  /** Path in the tenant repository. */
  readonly file: string
  /** 1-based; 1:1 where the problem is the file as a whole. */
  readonly line: number
  readonly column: number
  /** The field's path as a person writes it, `spec.limits.storageMb`; empty for the whole file. */
  readonly field: string
  /** What is wrong and what was expected. */
  readonly message: string
  /** What to do about it. */
  readonly fix: string
}

/** A problem found by the pure core, which knows the field but not its line: controller/specs/ adds the place. */
export type Finding = Omit<Problem, 'line' | 'column'>

/** `file:line:column field: what is wrong. What to do.` (INTERFACES.md, `validate`). */
export function formatProblem(problem: Problem): string {
  const { file, line, column, field, message, fix } = problem
  return `${file}:${line}:${column} ${field === '' ? '' : `${field}: `}${sentence(message)} ${sentence(fix)}`.trimEnd()
}

function sentence(text: string): string {
  return text === '' || /[.?!]$/.test(text) ? text : `${text}.`
}

/** Orders problems by file, then by place in it. */
export function compareProblems(a: Problem, b: Problem): number {
  return a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line || a.column - b.column
}
