/** An answer and its bytes, as SQ sends them: no date, no type, one header of its own. */

const STATUS_TEXTS = {
  200: 'OK',
  204: 'No Content',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  413: 'Payload Too Large',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
} as const

export interface Answer {
  readonly status: keyof typeof STATUS_TEXTS
  readonly text: string
  /** Instead of Content-Length: the preflight of SQ for one tenant. */
  readonly headers?: readonly string[]
}

export function answerBytes({ status, text, headers }: Answer): Buffer {
  const body = Buffer.from(text)
  const lines = [`HTTP/1.1 ${status} ${STATUS_TEXTS[status]}`, 'Access-Control-Allow-Origin: *', ...(headers ?? [`Content-Length: ${body.length}`])]
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), body])
}
