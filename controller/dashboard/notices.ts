/** What a page says after a form was sent and the browser was led on. The address carries a word from this list and nothing of what was typed. */
import type { Notice } from './view.ts'

const NOTICES = {
  'key-made': { tone: 'good', title: 'The key is made', text: 'It works now.' },
  'key-coming': { tone: 'good', title: 'The key is made', text: 'It works in a moment.' },
  'key-renamed': { tone: 'good', title: 'The name is changed' },
  'key-rotated': { tone: 'good', title: 'A new key takes the place of the old one', text: 'Both work until the end that the list shows; put the new one in until then.' },
  'key-revoked': { tone: 'warn', title: 'The key is revoked', text: 'It opens nothing any more, and neither does what was made from it. You can take that back for ten minutes.' },
  'key-restored': { tone: 'good', title: 'The key works again' },
  listed: { tone: 'good', title: 'You stand on the founders page' },
  unlisted: { tone: 'good', title: 'You are off the founders page' },
  resuming: { tone: 'good', title: 'Your payment is on its way', text: 'It runs again as soon as Stripe says that it is paid.' },
  closed: { tone: 'warn', title: 'It is closed', text: 'Nothing is charged for it any more. What was stored is kept for a while.' },
} as const satisfies Record<string, Notice>

export type NoticeName = keyof typeof NOTICES

export function noticeOf(name: unknown): Notice | undefined {
  return typeof name === 'string' && Object.hasOwn(NOTICES, name) ? NOTICES[name as NoticeName] : undefined
}
