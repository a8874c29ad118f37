/** "Did you mean …?": the known word that is nearest to what somebody wrote. Shared by the parser and the checks. */

const MAX_DISTANCE = 2
const MAX_WORD = 64

/** The candidate within two edits (a third of the word at most, case ignored), nearest first; undefined where none is near. */
export function closest(word: string, candidates: Iterable<string>): string | undefined {
  if (word.length > MAX_WORD) return undefined
  const wanted = word.toLowerCase()
  let best: string | undefined
  let bestDistance = Math.min(MAX_DISTANCE, Math.floor(wanted.length / 3)) + 1
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) >= bestDistance) continue
    const distance = editDistance(wanted, candidate.toLowerCase())
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

/** Levenshtein distance; two neighbouring letters that changed places count as one edit. */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let cost = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, beforeLast[j - 2]! + 1)
      row.push(cost)
    }
    beforeLast = last
    last = row
  }
  return last[b.length]!
}

/** The fix for a reference to nothing: the nearest known name, or all of them where they are few. */
export function suggest(word: string, candidates: Iterable<string>): string {
  const known = [...candidates]
  const near = closest(word, known)
  if (near !== undefined) return `Did you mean \`${near}\`?`
  return known.length === 0 ? '' : `Known are: ${list(known)}.`
}

const MOST_LISTED = 20

/** `a`, `b` and 3 more. */
export function list(words: readonly string[]): string {
  const shown = words.slice(0, MOST_LISTED).map((word) => `\`${word}\``)
  return words.length > MOST_LISTED ? `${shown.join(', ')} and ${words.length - MOST_LISTED} more` : shown.join(', ')
}
