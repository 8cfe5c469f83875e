// An issuer of tokens for development and tests: the OpenID provider `oidc-provider`, in memory, on this machine only.
//
//   node serve.mjs [PORT] [AUDIENCE]
//
// It prints one line when it listens. Keys are made at every start, so tokens of an earlier start are of unknown keys.
// The library answers /.well-known/openid-configuration, /jwks and /token. Two paths exist for development only:
//   POST /development/rotate    makes new keys, and answers the ids of all keys
//   GET  /development/id-token  answers an identity token: its audience is the OAuth client, not the API
// It ends when its standard input ends, so it never outlives the program that started it, however that one ended.

import { generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:http'
import Provider from 'oidc-provider'

const [port = '0', audience = 'https://project-flows.example'] = process.argv.slice(2)
const scopes = ['flows:read', 'flows:write', 'flows:release']

// Both act for one client of the API, so that one reads what the other wrote. They are the authors `editor` and `reader`.
const apiClient = 'client_123456789'
// The secret is public: whoever reaches the loopback address of this machine may have a token.
const oauthClient = (id, scope, algorithm) => ({
  client_id: id,
  client_secret: 'development',
  token_endpoint_auth_method: 'client_secret_post',
  grant_types: ['client_credentials'],
  redirect_uris: [],
  response_types: [],
  scope,
  id_token_signed_response_alg: algorithm
})
// One algorithm each, so that both kinds of keys are used.
const clients = [oauthClient('editor', scopes.join(' '), 'RS256'), oauthClient('reader', 'flows:read', 'ES256')]

// The library names each key by its thumbprint (RFC 7638).
const newKeys = () => [
  { ...generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }), alg: 'RS256' },
  { ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }), alg: 'ES256' }
].map(key => ({ ...key, use: 'sig' }))

// The library would keep tokens in memory and warn of it. These tokens say everything themselves: nothing needs to be kept.
class NothingKept {
  async find () {}
  async upsert () {}
}

const configuration = {
  adapter: NothingKept,
  clients,
  scopes: ['openid', ...scopes],
  ttl: { ClientCredentials: 3600, IdToken: 3600 },
  extraTokenClaims: () => ({ clientId: apiClient }),
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      // A request need not name the API.
      defaultResource: () => audience,
      getResourceServerInfo: (_, resource, client) => ({
        audience: resource,
        scope: scopes.join(' '),
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: client.idTokenSignedResponseAlg } }
      })
    }
  }
}

let issuer, keys, provider, answer

// The library takes its keys only when it is built. It signs with the first key that fits, and publishes all.
// Only one earlier generation stays, as with issuers that rotate often.
function rotate () {
  keys = [...newKeys(), ...(keys ?? []).slice(0, 2)]
  provider = new Provider(issuer, { ...configuration, jwks: { keys } })
  answer = provider.callback()
}

async function idToken () {
  const client = await provider.Client.find('editor')
  const token = new provider.IdToken({ sub: 'editor' }, { client })
  token.scope = 'openid'
  // All that an access token has, so that the audience is the only difference.
  token.set('clientId', apiClient)
  token.set('scope', client.scope)
  return token.issue({ use: 'idtoken' })
}

const development = {
  'POST /development/rotate': async () => {
    rotate()
    const published = await fetch(`${issuer}/jwks`).then(response => response.json())
    return published.keys.map(key => key.kid).join('\n')
  },
  'GET /development/id-token': idToken
}

const server = createServer((request, response) => {
  const path = development[`${request.method} ${request.url}`]
  if (!path) return answer(request, response)
  path().then(
    text => response.setHeader('Content-Length', Buffer.byteLength(text)).end(text),
    error => response.writeHead(500, { 'Content-Length': 0 }).end(console.error(error)))
})

server.listen(Number(port), '127.0.0.1', () => {
  issuer = `http://127.0.0.1:${server.address().port}`
  rotate()
  console.log(`issuer ${issuer} keys ${issuer}/jwks`)
})

// At a terminal, Ctrl-C ends it.
if (!process.stdin.isTTY) process.stdin.on('end', () => process.exit()).resume()
