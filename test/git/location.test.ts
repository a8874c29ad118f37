import { describe, expect, test } from 'vitest'
import { parseLocation, redact } from '../../controller/git/location.ts'

describe('where the tenant repository is', () => {
  test.each([
    ['/srv/tenants.git', '/srv/tenants.git'],
    ['/srv/odd:name.git', '/srv/odd:name.git'],
  ])('%s is a folder', (text, folder) => {
    expect(parseLocation(text)).toEqual({ kind: 'local', folder })
  })

  test.each(['https://git.example/t.git', 'file:///srv/t.git', 'ssh://git@git.example:22/t.git', 'git@git.example:org/t.git', 'git.example:t.git'])('%s is a URL', (url) => {
    expect(parseLocation(url)).toEqual({ kind: 'remote', url })
  })

  test('credentials are taken out of a URL, a lone user name too, since it is often a token', () => {
    expect(parseLocation('https://ada:p%40ss@git.example/t.git')).toEqual({ kind: 'remote', url: 'https://git.example/t.git', credentials: { username: 'ada', password: 'p@ss' } })
    expect(parseLocation('https://ghp_token@git.example/t.git')).toEqual({ kind: 'remote', url: 'https://git.example/t.git', credentials: { username: 'ghp_token', password: '' } })
  })

  test.each([
    'ext::sh -c "touch /tmp/x"', 'fd::17', '--upload-pack=touch /tmp/x', '-oProxyCommand=x', 'ssh://-oProxyCommand=x/t', 'ssh://-oProxyCommand=x@host/t',
    '-host:t.git', 'git@-oProxyCommand=x:t.git', 'git://git.example/t.git', 'ftp://git.example/t', 'https://', '', 'https://git.example/t\n.git', 'ssh://a:secret@host/t',
  ])('refuses %j and says why, without its password', (text) => {
    expect(() => parseLocation(text)).toThrow(/TENANTRY_REPOSITORY/)
    expect(() => parseLocation(text)).not.toThrow(/secret/)
  })

  test('credentials are never shown', () => {
    expect(redact("fatal: unable to access 'https://ada:se@cret@git.example/t.git/': no")).toBe("fatal: unable to access 'https://***@git.example/t.git/': no")
    expect(redact('see https://git.example/a and ada@example.com')).toBe('see https://git.example/a and ada@example.com')
  })
})
