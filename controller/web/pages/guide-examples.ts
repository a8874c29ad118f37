/**
 * The code of `/guide`, as the reader copies it. A test takes each from the served page, fills in a key, and runs it. Plain texts: nothing
 * here knows of HTML.
 */

/** What stands for the reader's own key. */
export const KEY_PLACEHOLDER = 'pmb-v1-YOUR-KEY'

export interface GuideExample {
  readonly id: string
  readonly title: string
  /** What the code is, for people. */
  readonly language: string
  readonly before: string
  readonly code: string
  readonly after?: string
}

export function guideExamples(endpoint: string): readonly GuideExample[] {
  return [curl(endpoint), python(endpoint), typescript(endpoint), openclaw(endpoint), mcp(endpoint), helper(endpoint)]
}

const curl = (endpoint: string): GuideExample => ({
  id: 'curl',
  title: 'With curl',
  language: 'Shell',
  before: 'A memory is a text under a name. The name goes into the parameter c, the text into the body.',
  code: `URL=${endpoint}
KEY=${KEY_PLACEHOLDER}
AUTH="Authorization: Bearer $KEY"
NAME=project/decisions/database

# Remember. "update" replaces what is there, "insert" appends to it.
curl -sS -w '\\n' -H "$AUTH" "$URL/api/v2/update?c=$NAME" \\
  --data-binary "We use PostgreSQL: the team knows it."

# Recall.
curl -sS -w '\\n' -H "$AUTH" "$URL/api/v2/select?c=$NAME"

# What is remembered: each name with its first line.
curl -sS -H "$AUTH" "$URL/api/v2/toc"

# Forget.
curl -sS -w '\\n' -H "$AUTH" -X DELETE "$URL/api/v2/delete?c=$NAME"
`,
})

const python = (endpoint: string): GuideExample => ({
  id: 'python',
  title: 'With Python',
  language: 'Python, standard library only',
  before: 'Save it as memory.py. It waits when it is told to, and reads "nothing there" as None.',
  code: `import time
import urllib.error
import urllib.parse
import urllib.request

URL = "${endpoint}"
KEY = "${KEY_PLACEHOLDER}"


def call(command, name=None, text=None, method="GET"):
    query = "" if name is None else "?" + urllib.parse.urlencode({"c": name})
    body = None if text is None else text.encode()
    headers = {"Authorization": "Bearer " + KEY, "Content-Type": "text/plain"}
    request = urllib.request.Request(URL + "/api/v2/" + command + query, data=body, headers=headers, method=method)
    for attempt in range(5):
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            if error.code not in (429, 503) or attempt == 4:
                raise RuntimeError(error.read().decode()) from error
            time.sleep(float(error.headers.get("Retry-After", "1")))


def remember(name, text):
    call("update", name, text, method="POST")


def recall(name):
    return call("select", name)


def forget(name):
    call("delete", name, method="DELETE")


if __name__ == "__main__":
    remember("people/ada/preferences", "Ada likes short answers.")
    print(recall("people/ada/preferences"))
    forget("people/ada/preferences")
    print(recall("people/ada/preferences"))
`,
})

const typescript = (endpoint: string): GuideExample => ({
  id: 'typescript',
  title: 'With TypeScript',
  language: 'TypeScript, for Node 22.18 and later, Deno and Bun',
  before: 'Save it as memory.ts and run it with node memory.ts. It needs no package.',
  code: `const URL_BASE = '${endpoint}'
const KEY = '${KEY_PLACEHOLDER}'

async function call(method: string, command: string, name: string, text?: string): Promise<string | undefined> {
  const headers = { Authorization: \`Bearer \${KEY}\`, 'Content-Type': 'text/plain' }
  for (let attempt = 0; ; attempt++) {
    const answer = await fetch(\`\${URL_BASE}/api/v2/\${command}?c=\${encodeURIComponent(name)}\`, { method, headers, body: text })
    if (answer.ok) return answer.text()
    if (answer.status === 404) return undefined
    if (![429, 503].includes(answer.status) || attempt === 4) throw new Error(await answer.text())
    await new Promise((resolve) => setTimeout(resolve, 1000 * Number(answer.headers.get('Retry-After') ?? 1)))
  }
}

export const remember = (name: string, text: string) => call('POST', 'update', name, text)
export const recall = (name: string) => call('GET', 'select', name)
export const forget = (name: string) => call('DELETE', 'delete', name)

await remember('project/status', 'The importer is done; next come the tests.')
console.log(await recall('project/status'))
await forget('project/status')
console.log(await recall('project/status'))
`,
})

/** The settings of the skill, to be laid into OpenClaw's own. */
export function openClawConfig(endpoint: string, key: string, namespace: string): string {
  return `skills:
  sq-memory:
    enabled: true
    endpoint: ${endpoint}
    api_key: ${key}
    namespace: ${namespace}
`
}

const openclaw = (endpoint: string): GuideExample => ({
  id: 'openclaw',
  title: 'With OpenClaw',
  language: 'YAML, in ~/.openclaw/config.yaml',
  before: 'Install the skill with "npx clawhub install sq-memory", then tell it where its memory is. Each agent gets a namespace of its own.',
  code: openClawConfig(endpoint, KEY_PLACEHOLDER, 'my-assistant'),
  after: 'Restart the agent. Its tools remember, recall, forget and list_memories then keep what they are told. The skill appends: to replace a memory, forget it first.',
})

const mcp = (endpoint: string): GuideExample => ({
  id: 'mcp',
  title: 'With MCP',
  language: 'JSON, in .mcp.json or wherever your client keeps its servers',
  before: 'Any client that speaks the Model Context Protocol over HTTP gets five tools: remember, recall, search, list and forget.',
  code: `{
  "mcpServers": {
    "memory": {
      "type": "http",
      "url": "${endpoint}/mcp",
      "headers": { "Authorization": "Bearer ${KEY_PLACEHOLDER}" }
    }
  }
}
`,
  after: 'What an agent remembers over MCP and what it remembers over HTTP is the same memory, under the same names.',
})

const helper = (endpoint: string): GuideExample => ({
  id: 'helper',
  title: 'With a key for a helper',
  language: 'Shell',
  before: 'An agent that starts helpers gives each a key of its own, which may only what the helper needs and ends by itself.',
  code: `URL=${endpoint}
KEY=${KEY_PLACEHOLDER}

curl -sS -H "Authorization: Bearer $KEY" "$URL/api/keys" \\
  -H "Content-Type: application/json" \\
  -d '{"name": "reader", "readOnly": true, "requests": 500, "expiresInSeconds": 3600}'
`,
  after: 'The answer holds the new key. It ends with the hour, with its budget, or with the key that it was made from.',
})
