// The client inside a page of another origin, as in Teams or Outlook: where the operator names that
// origin, one signs in and is heard there; where not, nothing of it is shown.

import assert from 'node:assert/strict'
import http from 'node:http'

import { hearsTone } from './harness/listen.mjs'
import { Person } from './harness/person.mjs'
import { CHANNEL, story } from './harness/story.mjs'
import { TONES, writeTone } from './harness/tones.mjs'
import { Miss, until } from './harness/until.mjs'

const [ANNA, BEN] = [0, 1]

/** A page of its own origin that shows the address in its query in a frame. */
async function otherSite() {
  const server = http.createServer((request, response) => {
    const shown = new URL(request.url, 'http://other').searchParams.get('show') ?? 'about:blank'
    response.writeHead(200, { 'content-type': 'text/html' })
    response.end(`<!doctype html><title>Another site</title><h1>Another site</h1>
      <iframe title="Parley" width="1200" height="640" allow="microphone; camera; display-capture; autoplay; clipboard-write; fullscreen" src="${shown.replaceAll('"', '')}"></iframe>`)
  })
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  return { origin: `http://127.0.0.1:${server.address().port}`, close: () => server.close() }
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
