/** Field paths as a person writes them, `spec.keys[0].nonce`, and as steps. Nothing here knows YAML. */

export type FieldPath = readonly (string | number)[]

const PLAIN = /^[A-Za-z_][A-Za-z0-9_-]*$/
const STEP = /\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]|\.?([^.[\]"]+)/y

/** Keys that are not plain words are written `["like this"]`, so that no control character reaches a message. */
export function formatField(path: FieldPath): string {
  let text = ''
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`
    else if (PLAIN.test(step) && step.length <= 64) text += text === '' ? step : `.${step}`
    else text += `[${quote(step)}]`
  }
  return text
}

/** The steps of a field path; what cannot be read ends it, so that the place falls back to the nearest parent. */
export function parseField(field: string): FieldPath {
  const path: (string | number)[] = []
  STEP.lastIndex = 0
  for (let at = 0; at < field.length; at = STEP.lastIndex) {
    const found = STEP.exec(field)
    if (found === null) break
    if (found[1] !== undefined) path.push(Number(found[1]))
    else path.push(found[2] === undefined ? found[3]! : (JSON.parse(found[2]) as string))
  }
  return path
}

const SHOWN_LENGTH = 60

/** Text from a file made safe for one line of a message: quoted, escaped to ASCII controls and cut. */
export function quote(text: string): string {
  const cut = text.length > SHOWN_LENGTH ? `${text.slice(0, SHOWN_LENGTH)}…` : text
  return JSON.stringify(cut).replace(/[\u007f-\u009f\u2028-\u202e\u2066-\u2069\ufeff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
