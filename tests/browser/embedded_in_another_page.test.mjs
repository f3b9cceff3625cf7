// The client inside a page of another origin or another site, as in Teams or Outlook: where the operator
// names that origin, one signs in and is heard there; where not, nothing of it is shown.

import assert from 'node:assert/strict'
import http from 'node:http'

import { post } from './harness/chat.mjs'
import { hearsTone } from './harness/listen.mjs'
import { startNginx } from './harness/nginx.mjs'
import { Person } from './harness/person.mjs'
import { CHANNEL, story } from './harness/story.mjs'
import { TONES, writeTone } from './harness/tones.mjs'
import { Miss, until } from './harness/until.mjs'

const [ANNA, BEN] = [0, 1]

/** A page of its own origin that shows the address in its query in a frame; a `host` of another site makes it one. */
async function otherSite(host = '127.0.0.1') {
  const server = http.createServer((request, response) => {
    const shown = new URL(request.url, 'http://other').searchParams.get('show') ?? 'about:blank'
    response.writeHead(200, { 'content-type': 'text/html' })
    response.end(`<!doctype html><title>Another site</title><h1>Another site</h1>
      <iframe title="Parley" width="1200" height="640" allow="microphone; camera; display-capture; autoplay; clipboard-write; fullscreen" src="${shown.replaceAll('"', '')}"></iframe>`)
  })
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  return { origin: `http://${host}:${server.address().port}`, close: () => server.close() }
}

const framed = (person, url) => until('the client is loaded in the frame', () => person.page.frames().find((frame) => frame.url().startsWith(url)) ?? new Miss(person.page.frames().map((frame) => frame.url()).join()))

story('embedded', 'in a page that the operator names one signs in, joins a call and is heard; in others nothing is shown', async (stage) => {
  const [site, stranger] = [await otherSite(), await otherSite()]
  try {
    const server = await stage.serve({ env: { SIGNALLING_HTTP_FRAME_ANCESTORS: site.origin } })
    const ben = await stage.person(BEN)
    const anna = await Person.open(`${site.origin}/?show=${encodeURIComponent(server.url)}`, server.accounts[ANNA], { microphone: writeTone(stage.scratch, TONES.first) })
    stage.people.push(anna)
    const frame = await framed(anna, server.url)
    const at = (testId) => frame.locator(`[data-testid="${testId}"]`).first()
    assert.equal(await frame.evaluate(() => window.origin === window.parent.origin).catch(() => 'another origin'), 'another origin')

    await at('login-id').fill(anna.username)
    await at('password').fill(anna.account.password)
    await at('sign-in').click()
    await at(`channel-${CHANNEL}`).click()
    await at('composer').fill('from inside another page')
    await at('composer').press('Enter')
    await ben.page.locator('[data-testid="post"]', { hasText: 'from inside another page' }).waitFor()

    await ben.startCall()
    await at('join-call').click()
    await at('leave-call').waitFor()
    await until('connected', async () => (await at('connection-status').getAttribute('data-state')) === 'connected')
    await at('mute').click()
    await until('anna is unmuted', async () => (await at('mute').getAttribute('data-muted')) === 'false')
    await hearsTone(ben.page, TONES.first, { who: 'ben' })
    await at('leave-call').click()
    await at('join-call').waitFor()

    // A page that nobody named shows nothing of it.
    const eve = await Person.open(`${stranger.origin}/?show=${encodeURIComponent(server.url)}`, server.accounts[ANNA])
    stage.people.push(eve)
    await until('the browser says why', async () => eve.troubles.some((text) => /frame-ancestors|X-Frame-Options/i.test(text)))
    assert.ok(!eve.page.frames().some((one) => one.url().startsWith(server.url)), 'no frame of the client')
    assert.deepEqual([anna, ben].flatMap(({ troubles }) => troubles), [])
  } finally {
    site.close()
    stranger.close()
  }
})

story('embedded_across_sites', 'in a page of another site one signs in and stays so over a reload, there and nowhere else', async (stage) => {
  const site = await otherSite('localhost')
  let front
  try {
    // Browsers give cookies to a frame of another site only where it comes by TLS, as operators have it.
    const server = await stage.serve({ env: { SIGNALLING_HTTP_FRAME_ANCESTORS: site.origin } })
    front = await startNginx(server.home, [new URL(server.url).port])
    const anna = await Person.open(`${site.origin}/?show=${encodeURIComponent(front.url)}`, server.accounts[ANNA])
    stage.people.push(anna)
    const at = async (testId) => (await framed(anna, front.url)).locator(`[data-testid="${testId}"]`).first()
    const shows = async (text) => (await framed(anna, front.url)).locator('[data-testid="post"]', { hasText: text }).waitFor()
    await (await at('login-id')).fill(anna.username)
    await (await at('password')).fill(anna.account.password)
    await (await at('sign-in')).click()
    await (await at(`channel-${CHANNEL}`)).click()
    await (await at('composer')).fill('from another site')
    await (await at('composer')).press('Enter')
    await shows('from another site')
    await post(server, server.accounts[BEN], CHANNEL, 'an answer that nobody asked for')
    await shows('an answer that nobody asked for')

    // Also in a browser that keeps what is of a third party apart for each site that shows it.
    const cookies = (await anna.context.cookies(front.url)).map(({ name, sameSite, secure, partitionKey }) => ({ name, sameSite, secure, partitionKey }))
    const kept = { sameSite: 'None', secure: true, partitionKey: 'http://localhost' }
    assert.deepEqual(cookies.filter(({ name }) => name.startsWith('MM')).sort((a, b) => a.name.localeCompare(b.name)),
      ['MMAUTHTOKEN', 'MMCSRF', 'MMUSERID'].map((name) => ({ name, ...kept })))

    await anna.page.reload()
    await shows('an answer that nobody asked for')
    await post(server, server.accounts[BEN], CHANNEL, 'told after the reload')
    await shows('told after the reload')
    const alone = await anna.context.newPage()
    await alone.goto(front.url)
    await alone.locator('[data-testid="sign-in"]').waitFor()
    await alone.close()

    await (await at('sign-out')).click()
    await (await at('sign-in')).waitFor()
    await anna.page.reload()
    await (await at('sign-in')).waitFor()
    assert.deepEqual(anna.troubles, [])
  } finally {
    site.close()
    front?.process.kill()
    await front?.exit
  }
})

story('not_embedded', 'without the setting no page shows the client in a frame', async (stage) => {
  const site = await otherSite()
  try {
    const server = await stage.serve()
    const eve = await Person.open(`${site.origin}/?show=${encodeURIComponent(server.url)}`, server.accounts[ANNA])
    stage.people.push(eve)
    await until('the browser says why', async () => eve.troubles.some((text) => /frame-ancestors|X-Frame-Options/i.test(text)))
    assert.ok(!eve.page.frames().some((one) => one.url().startsWith(server.url)))
  } finally {
    site.close()
  }
})
