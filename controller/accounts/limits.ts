/** How often one may try to sign in or have mail sent: by network, by address of mail, and in all. The same for addresses that have an account and those that have none. */
import { HttpProblem } from '../web/http-problem.ts'
import { createKeyedLimit } from '../web/keyed-limit.ts'

/** Each throws HttpProblem 429 where it is too often. */
export interface AccountLimits {
  /** Anything at all, from one network. */
  takeCall(network: string): void
  /** A question that costs little, such as whether a name is free. */
  takeLook(network: string): void
  takeLogin(email: string): void
  /** They knew the password: the next mistake is the first one. */
  forgetLogins(email: string): void
  takeMail(email: string): void
  /** A guess at the password of one registration. */
  takeGuess(link: string): void
}

const IN_ALL = 'all'

export function createAccountLimits(nowMs: () => number): AccountLimits {
  const limit = (perSecond: number, burst: number) => createKeyedLimit({ rate: { perSecond, burst }, nowMs })
  const calls = limit(0.2, 30)
  const callsOfSite = limit(1, 150)
  const looks = limit(5, 60)
  const logins = limit(1 / 60, 10)
  const mails = limit(1 / 300, 4)
  const allMails = limit(5, 200)
  const guesses = limit(1 / 600, 5)

  function require(waitMs: number, why: string): void {
    if (waitMs === 0) return
    const retryAfterSeconds = Math.max(1, Math.ceil(waitMs / 1000))
    throw new HttpProblem({ status: 429, code: 'too-many-attempts', title: 'Too many attempts', detail: `${why} Try again in ${retryAfterSeconds} s.`, retryAfterSeconds })
  }

  return {
    takeCall(network) {
      require(calls.take(network), 'This address asks too often.')
      // One site of IPv6 has thousands of networks: together they leave room for everybody else in what there is in all.
      require(callsOfSite.take(network.split(':').slice(0, 3).join(':')), 'This network asks too often.')
    },
    takeLook: (network) => require(looks.take(network), 'This address asks too often.'),
    takeLogin: (email) => require(logins.take(email), 'There were too many attempts for this e-mail address. A sign-in link by mail works all the same.'),
    forgetLogins: logins.forget,
    takeMail(email) {
      require(mails.take(email), 'This e-mail address was sent several links already: look into its mailbox, and among the unwanted mail.')
      require(allMails.take(IN_ALL), 'Too many people sign in at this moment.')
    },
    takeGuess: (link) => require(guesses.take(link), 'There were too many attempts.'),
  }
}
