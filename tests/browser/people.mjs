// Those who use the pages: their tokens, what they send to the API, and a browser that complains about what must not be.

import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { chromium } from 'playwright-core'

export const { API, SITE, SHOTS, BROWSER } = process.env
const FLOWS = `${API}/v2/project-flows`
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const { keys: [KEY] } = JSON.parse(readFileSync(new URL('../../tools/jwks.json', import.meta.url)))

/** A token of the development key. */
export const token = (clientId, sub) => {
  const part = value => Buffer.from(JSON.stringify(value)).toString('base64url')
  const claims = { clientId, sub, exp: Math.floor(Date.now() / 1000) + 3600 }
  const text = `${part({ alg: KEY.alg, kid: KEY.kid })}.${part(claims)}`
  return `${text}.${createHmac(KEY.alg.replace('HS', 'sha'), Buffer.from(KEY.k, 'base64url')).update(text).digest('base64url')}`
}

/** Sends a request of somebody, which must succeed; answers the text. */
export const send = async (client, author, method, path, body) => {
  const headers = { Authorization: `Bearer ${token(client, author)}`, ...body && { 'Content-Type': 'application/json' } }
  const answer = await fetch(FLOWS + path, { method, headers, body, signal: AbortSignal.timeout(10_000) })
  const text = await answer.text()
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`)
  return text
}

/** A flow as text, for its numbers have a spelling. */
export const flow = (project, type, name, description = '', configuration = CONFIGURATION) =>
  `{"project":"${project}","type":"${type}","name":${JSON.stringify(name)},"description":${JSON.stringify(description)},
    "configuration":${configuration},"steps":[
    {"stepType":"email","order":1,"required":true,"config":{"verificationMethod":"verificationCode"}},
    {"stepType":"phone","order":2,"required":false,"config":{"verificationMethod":"sms"}},
    {"stepType":"biometric","order":3,"required":true,"config":{"livenessDetection":true}}]}`
export const CONFIGURATION = `{"emailVerification":{"enabled":true,"required":true,"method":"verificationCode"},
  "phoneVerification":{"enabled":true,"required":false,"method":"sms"},
  "biometricVerification":{"enabled":true,"required":true,"livenessDetection":true,"antiSpoofing":true},
  "documentVerification":{"enabled":false},
  "securityThresholds":{"face":0.90,"document":0.75,"liveness":1.0},"branding":{"logo":"light"}}`

// No name is looked up: a request to another host fails, beside being complained about.
export const browse = () => chromium.launch({
  executablePath: BROWSER,
  args: ['--no-sandbox', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1']
})

/**
 * A page, and what there is to complain about it: a request to another host, an error in the console or of a script, a breach of
 * the policy. `expect` names the statuses of answers that are meant to be errors, which a browser logs. `tolerated` is not
 * complained about.
 */
export const open = async (browser, options = {}, tolerated = undefined) => {
  const page = await browser.newPage({ viewport: { width: 1280, height: 860 }, ...options })
  const complaints = []
  const expected = []
  page.on('request', request => {
    const { protocol, origin } = new URL(request.url())
    if (!['data:', 'blob:'].includes(protocol) && ![API, SITE].includes(origin)) complaints.push(`a request to ${request.url()}`)
  })
  page.on('console', message => {
    if (!['error', 'warning'].includes(message.type()) || message.text() === tolerated) return
    const status = /^Failed to load resource.* (\d{3}) /.exec(message.text())?.[1]
    const index = expected.indexOf(Number(status))
    if (index >= 0) expected.splice(index, 1)
    else complaints.push(`${message.text()} ${message.location().url}`)
  })
  page.on('pageerror', error => complaints.push(error.message))
  page.on('dialog', dialog => dialog.accept())
  await page.addInitScript(() => addEventListener('securitypolicyviolation', event => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`)))
  return {
    page,
    expect: (...statuses) => expected.push(...statuses),
    assertQuiet: () => {
      assert.deepEqual(complaints, [])
      assert.deepEqual(expected, [], 'expected more errors')
    }
  }
}

/** Enters the console as somebody, by the address that `make run` prints. */
export const enter = async (page, client, author) => {
  await page.goto(`${SITE}/#token=${token(client, author)}&api=${API}`)
  await settled(page)
}

/** Enters the API reference in the same way. */
export const enterReference = async (page, client) => {
  await page.goto(`${SITE}/reference/#token=${token(client, 'ann')}`)
  await page.getByRole('heading', { level: 1, name: 'Project flows' }).waitFor()
}

/** Sends the request of an operation as the reference offers it; answers the response. */
export const tryOut = async (page, name, method, path) => {
  const dialog = page.getByRole('dialog')
  if (await dialog.count() > 0) {
    await dialog.getByRole('button', { name: 'Close Client' }).click()
    await dialog.waitFor({ state: 'detached' })
  }
  // The operations of a tag are in the sidebar only after a click on it.
  const link = page.getByRole('link', { name: new RegExp(`^${name}`) }).first()
  for (const tag of ['releases', 'history']) {
    if (await link.count() === 0) await page.getByRole('link', { name: tag, exact: true }).first().click()
  }
  await link.click()
  await page.getByRole('button', { name: new RegExp(`Test Request.*\\(${method} ${path.replace(/[{}]/g, '\\$&')}\\)`, 'is') }).click()
  const answered = page.waitForResponse(answer => answer.url().startsWith(API) && answer.request().method() === method.toUpperCase())
  await dialog.getByRole('button', { name: /^Send Request/ }).click()
  return await answered
}

/** Goes to a view of the console. */
export const go = async (page, route) => {
  await page.evaluate(route => { location.hash = route }, route)
  await settled(page)
}

/** Waits until what was asked for is shown. */
export const settled = async page => {
  // A change of the address is noticed a moment later.
  await page.evaluate(() => new Promise(resolve => requestAnimationFrame(() => setTimeout(resolve))))
  await page.locator('main[aria-busy=false]').waitFor()
}

/** What axe finds serious or critical. */
export const findings = async page => {
  await page.evaluate(AXE)
  const { violations } = await page.evaluate(() => globalThis.axe.run())
  return violations.filter(({ impact }) => ['serious', 'critical'].includes(impact))
    .map(({ id, impact, nodes }) => `${impact}: ${id} at ${nodes.map(({ html }) => html.slice(0, 120)).join(' and ')}`)
}
