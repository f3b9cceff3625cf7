// axe-core finds no serious fault (WCAG 2.2 AA) in the main states of the page.

import assert from 'node:assert/strict'

import { faults, faultsInBothThemes } from './harness/audit.mjs'
import { ask, post } from './harness/chat.mjs'
import { CHANNEL, story } from './harness/story.mjs'

const [ANNA, BEN] = [0, 1]
const MESSAGE = '# A heading\n**bold** @ben :tada: https://example.org\n- [x] done\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n> quote\n\n```\ncode\n```'

story('axe', 'no state of the page has a serious fault for people who use assistive technology', async (stage) => {
  await stage.serve()
  await post(stage.server, stage.server.accounts[BEN], CHANNEL, MESSAGE)
  const anna = await stage.stranger(ANNA)
  const found = []
  const check = async (state) => found.push(...await faults(anna, state))
  const [team] = await ask(stage.server, stage.server.accounts[ANNA], 'GET', '/users/me/teams')
  const { url: invitation } = await ask(stage.server, stage.server.accounts[ANNA], 'POST', `/teams/${team.id}/invites`, { expires_in_seconds: 600, max_uses: 1 })
  await anna.page.goto(new URL(invitation, stage.server.url).href)
  await anna.sees('invited')
  found.push(...await faultsInBothThemes(anna, 'invited'))
  await anna.at('sign-up').click()
  await check('invited, nothing filled in')
  await anna.page.goto(stage.server.url)
  await anna.sees('sign-in')
  await check('sign-in')
  await anna.signIn()
  await anna.enter(CHANNEL)
  await anna.page.locator('[data-testid="post"]').first().waitFor()
  await check('channel')
  await anna.at('composer').pressSequentially('@be')
  await anna.sees('suggestion-ben')
  await check('suggestions')
  await anna.page.keyboard.press('Escape')
  await anna.at('composer').fill('')
  await anna.at('composer').fill('/call link')
  await anna.page.keyboard.press('Enter')
  await anna.sees('only-you')
  await anna.at('composer').pressSequentially('/call ')
  await anna.sees('suggestion-start')
  await check('commands')
  await anna.at('composer').fill('')
  await anna.at('add-reaction').click()
  await anna.sees('find-emoji')
  await check('choice of emoji')
  await anna.at('pick-tada').click()
  await anna.sees('reaction-tada')
  await check('reactions, an answer to a command')
  const release = await held(anna, '**/api/v4/files')
  await anna.at('composer-file').setInputFiles([{ name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('some notes') }])
  await anna.page.locator('[data-testid="upload"][data-state="running"]').waitFor()
  found.push(...await faultsInBothThemes(anna, 'a file on its way'))
  release()
  await anna.page.locator('[data-testid="upload"][data-state="done"]').waitFor()
  await check('a file beside what is written')
  await anna.at('remove-upload').click()
  await anna.at('search').click()
  await anna.at('search-terms').fill('heading')
  await anna.sees('search-result')
  await check('search')
  await anna.at('search-result').click()
  await anna.page.locator('[data-found="true"]').waitFor()
  await check('found')
  await anna.page.locator('[data-testid="post"]').first().hover()
  await anna.at('post-menu').click()
  await check('menu of a message')
  await anna.page.keyboard.press('Escape')
  await anna.at('reply').click()
  await anna.sees('thread-panel')
  await check('thread')
  await anna.at('close-thread').click()
  for (const [opener, tabs] of [
    ['channel-info', ['tab-add-people', 'tab-about']], ['profile', ['tab-look', 'tab-password', 'tab-sign-ins']],
    ['invite', []], ['administration', ['tab-new-people', 'tab-channels', 'tab-calls', 'tab-health', 'tab-nodes']], ['new-direct', []], ['add-channel', []],
  ]) {
    await anna.at(opener).click()
    await check(opener)
    for (const tab of tabs) {
      await anna.at(tab).click()
      await check(`${opener}, ${tab}`)
    }
    await anna.page.keyboard.press('Escape')
  }
  await anna.page.evaluate(() => { document.documentElement.dataset.theme = 'dark' })
  await check('dark')
  await anna.startCall()
  await check('call, dark')
  await anna.page.evaluate(() => { document.documentElement.dataset.theme = 'light' })
  await check('call')
  // The server goes away.
  stage.server.process.kill('SIGTERM')
  await anna.sees('offline', { ms: 20_000 })
  found.push(...await faultsInBothThemes(anna, 'offline, in a call'))
  assert.deepEqual(found, [])
}, { ms: 300_000 })

/** Requests of this address wait until the function that this resolves to is called. */
async function held({ page }, address) {
  let release
  const wait = new Promise((resolve) => { release = resolve })
  await page.route(address, async (route) => {
    await wait
    await route.continue()
  })
  return release
}
