/** What a customer's program does: stores and fetches under a key, through the gateway or at SQ itself. */

const AT = 'p=notes&c=1.1.1/1.1.1/2.1.1'

async function ask(url: string, key: string, body?: string): Promise<{ status: number; text: string }> {
  const answer = await fetch(url, { method: body === undefined ? 'GET' : 'POST', headers: { authorization: `Bearer ${key}` }, ...(body !== undefined && { body }) })
  return { status: answer.status, text: await answer.text() }
}

export function store(baseUrl: string, key: string, text: string): Promise<{ status: number; text: string }> {
  return ask(`${baseUrl}/api/v2/update?${AT}`, key, text)
}

export function fetchBack(baseUrl: string, key: string): Promise<{ status: number; text: string }> {
  return ask(`${baseUrl}/api/v2/select?${AT}`, key)
}

/** The status with which a key is answered. */
export async function statusOf(baseUrl: string, key: string): Promise<number> {
  return (await ask(`${baseUrl}/api/v2/version`, key)).status
}
