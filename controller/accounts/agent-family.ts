/** Browser or program and system, in words for the list of sessions: enough to know one's own, and no more is kept. Pure. */

const PROGRAMS: readonly (readonly [RegExp, string])[] = [
  [/\bEdgA?\//, 'Edge'],
  [/\b(?:OPR|Opera)\//, 'Opera'],
  [/\b(?:Firefox|FxiOS)\//, 'Firefox'],
  [/\b(?:Chrome|Chromium|CriOS)\//, 'Chrome'],
  [/\bSafari\//, 'Safari'],
  [/^curl\//, 'curl'],
  [/^python|\bPython\b/i, 'Python'],
  [/^node\b|\bundici\b/i, 'Node'],
]
const SYSTEMS: readonly (readonly [RegExp, string])[] = [
  [/\biPhone\b|\biPad\b/, 'iOS'],
  [/\bAndroid\b/, 'Android'],
  [/\bWindows\b/, 'Windows'],
  [/\bMac OS X\b|\bMacintosh\b/, 'macOS'],
  [/\bLinux\b|\bX11\b/, 'Linux'],
]

export function agentFamily(userAgent: string | undefined): string {
  const found = (table: typeof PROGRAMS): string | undefined => table.find(([pattern]) => pattern.test(userAgent ?? ''))?.[1]
  const system = found(SYSTEMS)
  return `${found(PROGRAMS) ?? 'Another program'}${system === undefined ? '' : ` on ${system}`}`
}
