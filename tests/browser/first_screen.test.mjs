// What the page asks for before somebody can write: each thing once, and nothing waits for another answer.
//
// The built page before `benches/page/crowd.mjs`, whose answers are held back.

import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import test from 'node:test'

import { Crowd } from '../../benches/page/crowd.mjs'
import { launchChromium } from './harness/person.mjs'
import { ROOT } from './harness/server.mjs'
import { writeSilence } from './harness/tones.mjs'

const DIST = path.join(ROOT, 'signalling', 'web', 'dist')
/** What the first screen of somebody who is signed in is made of. */
const NEEDED = ['/api/v4/users/me/teams', '/api/v4/users/me/teams/members', '/api/v4/users/me/channels', '/api/v4/users/me/channel_members']
/** What the browser asks for while the script is on its way. */
const AHEAD = ['/api/v4/users/me', '/api/v4/config/client?format=old']

test('somebody who is signed in waits for one round trip after the script, and nothing is asked for twice', { timeout: 60_000 }, async () => {
  const home = fs.mkdtempSync(path.join(os.tmpdir(), 'first-screen-'))
  const browser = await launchChromium(writeSilence(home))
  const crowd = await new Crowd({ dist: DIST, posts: 60 }).open()
  try {
    const context = await browser.newContext({ locale: 'en' })
    const page = await context.newPage()
    const asked = []
    const warnings = []
    page.on('request', (request) => asked.push(new URL(request.url())))
    page.on('console', (message) => { if (/preload/.test(message.text())) warnings.push(message.text()) })

    // The script comes only when what was let ask ahead of it has been asked for.
    const ahead = held(page, AHEAD)
    await page.route('**/assets/page-*.js', async (route) => {
      await ahead.all
      await route.continue()
    })
    // And none of these is answered before all of them have been asked for: one that waited for another would never come.
    const needed = held(page, NEEDED)
    await page.goto(crowd.url, { waitUntil: 'commit' })
    await page.locator('[data-testid="composer"]').waitFor({ timeout: 20_000 })
    await Promise.all([ahead.all, needed.all])
    await page.getByText('message 60 ').first().waitFor()
    await page.waitForTimeout(4_000) // a browser says after a while what was loaded ahead for nothing

    const reads = asked.map(({ pathname, search }) => pathname + search).filter((address) => /^\/(api|plugins)\//.test(address))
    const twice = reads.filter((address, index) => reads.indexOf(address) !== index)
    assert.deepEqual(twice, [])
    for (const address of [...AHEAD, ...NEEDED]) assert.ok(reads.includes(address), address)
    assert.deepEqual(warnings, [])
  } finally {
    await browser.close()
    crowd.close()
    fs.rmSync(home, { recursive: true, force: true, maxRetries: 5 })
  }
})

/** Holds these requests back until each of them has been made; `all` resolves then. */
function held(page, addresses) {
  const missing = new Set(addresses)
  let done
  const all = new Promise((resolve) => { done = resolve })
  const matches = ({ pathname, search }) => addresses.includes(pathname + search)
  page.route(matches, async (route) => {
    const { pathname, search } = new URL(route.request().url())
    missing.delete(pathname + search)
    if (missing.size === 0) done()
    await all
    await route.continue()
  })
  return { all }
}
