/** What is written for each kind of mail. Words only: the look is letter.ts's. Never a whole key, and no link with a key in it. */
import type { Timestamp } from '../core/specs.ts'
import type { Block, Letter } from './letter.ts'
import type { Mail } from './port.ts'

export interface LetterPlaces {
  /** The product's title. */
  readonly title: string
  /** Without a slash at its end. */
  readonly publicUrl: string
}

/** Hints, without which a customer loses nothing that is not said elsewhere. Everything else is about money, service or data, and cannot be declined. */
const HINTS: ReadonlySet<Mail['kind']> = new Set(['quota', 'old-key-used'])

export function isHint(kind: Mail['kind']): boolean {
  return HINTS.has(kind)
}

export function writeLetter(mail: Mail, places: LetterPlaces): Letter {
  switch (mail.kind) {
    case 'welcome':
      return welcome(mail, places)
    case 'payment-failed':
      return paymentFailed(mail, places)
    case 'suspended':
      return suspended(mail, places)
    case 'ending':
      return ending(mail, places)
    case 'ended':
      return ended(mail, places)
    case 'quota':
      return quota(mail, places)
    case 'trial-ends':
      return trialEnds(mail, places)
    case 'old-key-used':
      return oldKeyUsed(mail, places)
    case 'sign-in':
      return signIn(mail, places)
    case 'confirm-address':
      return confirmAddress(mail, places)
  }
}

type Of<Kind extends Mail['kind']> = Extract<Mail, { readonly kind: Kind }>

const text = (words: string): Block => ({ kind: 'text', text: words })
const dashboard = ({ publicUrl }: LetterPlaces, label = 'Open the dashboard'): Block => ({ kind: 'link', label, url: `${publicUrl}/dashboard` })

function welcome({ tenant, key }: Of<'welcome'>, places: LetterPlaces): Letter {
  const { title, publicUrl } = places
  return {
    subject: `Your ${title} is ready`,
    heading: `Your ${title} is ready`,
    blocks: [
      text('It is running and waits for its first request.'),
      { kind: 'facts', rows: [['Account', tenant], ['Address', publicUrl], ['Key', key]] },
      text('The whole key is in the dashboard, where you can copy it; it is never sent by mail.'),
      dashboard(places),
      text('The guide shows the first request with curl, Python, TypeScript, OpenClaw and MCP:'),
      { kind: 'link', label: 'Read the guide', url: `${publicUrl}/guide` },
      text('Was it not you who began this purchase, or did somebody send you the link to pay? Whoever began it can see the first key: sign in and rotate it before you store anything.'),
    ],
  }
}

function paymentFailed({ tenant, graceUntil }: Of<'payment-failed'>, places: LetterPlaces): Letter {
  const until = graceUntil === undefined ? 'Everything goes on for the moment.' : `Everything goes on until ${when(graceUntil)}. If nothing was paid by then, requests are refused; your data is kept.`
  return {
    subject: `Your payment for ${places.title} did not go through`,
    heading: 'A payment did not go through',
    blocks: [text(`The last payment for ${tenant} was refused by the bank or the card. ${until}`), text('A new card, or a second try with the same one, settles it at once.'), dashboard(places, 'Look after the payment')],
  }
}

function suspended({ tenant, reason }: Of<'suspended'>, places: LetterPlaces): Letter {
  return {
    subject: `${places.title} is suspended`,
    heading: `${tenant} is suspended`,
    blocks: [text('Requests are refused from now on. Nothing is deleted: your data is kept, and everything comes back as it was.'), { kind: 'facts', rows: [['Account', tenant], ['Reason', reason]] }, dashboard(places, 'Bring it back')],
  }
}

function ending({ tenant, endsAt }: Of<'ending'>, places: LetterPlaces): Letter {
  return {
    subject: `${places.title} ends on ${day(endsAt)}`,
    heading: `${tenant} ends on ${day(endsAt)}`,
    blocks: [text(`The subscription is cancelled. Everything works until ${when(endsAt)}, and nothing more is charged for the time after it.`), text('Until then you can change your mind, and export all that you have stored, in the dashboard.'), dashboard(places)],
  }
}

function ended({ tenant, dataUntil }: Of<'ended'>, places: LetterPlaces): Letter {
  return {
    subject: `${places.title} has ended`,
    heading: `${tenant} has ended`,
    blocks: [text(`Requests are refused from now on. Your data is kept until ${when(dataUntil)}, and is removed after that.`), text('Until then you can export it in the dashboard.'), dashboard(places, 'Export my data')],
  }
}

function quota({ tenant, limit, percent }: Of<'quota'>, places: LetterPlaces): Letter {
  const what = limit === 'storage' ? 'storage' : "this month's requests"
  const then = limit === 'storage' ? 'When it is full, nothing more can be stored; reading goes on.' : 'When they are used up, requests are refused until the next month begins (UTC).'
  return {
    subject: `${percent} % of ${limit === 'storage' ? 'your storage' : "this month's requests"} in ${places.title} is used`,
    heading: `${percent} % is used`,
    blocks: [text(`${tenant} has used ${percent} % of its ${what}. ${then}`), dashboard(places, 'See what is used')],
  }
}

function trialEnds({ tenant, endsAt }: Of<'trial-ends'>, places: LetterPlaces): Letter {
  return {
    subject: `Your ${places.title} trial ends on ${day(endsAt)}`,
    heading: `The trial ends on ${day(endsAt)}`,
    blocks: [text(`${tenant} runs on trial until ${when(endsAt)}. With a way to pay it simply goes on; without one it stops then, and your data is kept for a while.`), dashboard(places, 'See to it')],
  }
}

function oldKeyUsed({ tenant, key, endsAt }: Of<'old-key-used'>, places: LetterPlaces): Letter {
  return {
    subject: `A replaced key of ${places.title} is still in use`,
    heading: 'A replaced key is still in use',
    blocks: [
      text(`A key of ${tenant} was replaced by a new one, and something has used the old one since. The old key stops working at ${when(endsAt)}.`),
      { kind: 'facts', rows: [['Account', tenant], ['Old key', key], ['Works until', when(endsAt)]] },
      text('Put the new key wherever the old one still stands. If you do not know what uses it, revoke it in the dashboard.'),
      dashboard(places, 'See the keys'),
    ],
  }
}

function signIn({ link, minutes }: Of<'sign-in'>, { title }: LetterPlaces): Letter {
  return {
    subject: `Sign in to ${title}`,
    heading: `Sign in to ${title}`,
    blocks: [text(`This link signs you in. It works once, for ${minutes} minutes.`), { kind: 'link', label: 'Sign in', url: link }, text('If you did not ask for it, do nothing: without the link nobody gets in.')],
  }
}

function confirmAddress({ link, minutes }: Of<'confirm-address'>, { title }: LetterPlaces): Letter {
  return {
    subject: `Confirm your address for ${title}`,
    heading: 'Confirm your address',
    blocks: [text(`This link says that the address is yours. It works once, for ${minutes} minutes.`), { kind: 'link', label: 'Confirm the address', url: link }, text('If you did not ask for it, do nothing.')],
  }
}

const DAY = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'long', year: 'numeric', timeZone: 'UTC' })
const TIME = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', timeZone: 'UTC' })
const day = (at: Timestamp): string => DAY.format(new Date(at))
const when = (at: Timestamp): string => `${day(at)}, ${TIME.format(new Date(at))} UTC`
