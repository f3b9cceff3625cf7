// A server without calls (`calls.disable`): the page offers none, and nobody is told that something failed.

import assert from 'node:assert/strict'

import { ask } from './harness/chat.mjs'
import { CHANNEL, story } from './harness/story.mjs'

const [ANNA] = [0]
const OF_CALLS = ['start-call', 'join-call', 'calls-off', 'call-bar', 'call-stage', 'sound-settings', 'question', 'tab-calls']

story('without_calls', 'where calls are switched off the page offers none, and says of no fault', async (stage) => {
  const server = await stage.serve({ env: { MM_CALLS_DISABLE: 'true' } })
  const anna = await stage.person(ANNA) // the administrator
  const offered = () => anna.page.evaluate((ids) => ids.filter((id) => document.querySelector(`[data-testid="${id}"]`)), OF_CALLS)
  await anna.page.getByText('No messages yet. Write the first one.', { exact: true }).waitFor()
  assert.deepEqual(await offered(), [])
  assert.equal(await anna.page.locator('.notice').count(), 0)

  // Not for administrators either; the rest of their page is there.
  await anna.at('administration').click()
  await anna.at('tab-health').click()
  await anna.sees('health')
  assert.deepEqual(await offered(), [])
  assert.doesNotMatch(await anna.at('health').textContent(), /connected/)
  await anna.page.keyboard.press('Escape')

  // A command says so; a link into a call leads into the channel.
  await anna.at('composer').fill('/call start')
  await anna.page.keyboard.press('Enter')
  await anna.page.locator('.notice', { hasText: 'switched off' }).waitFor()
  const channel = (await ask(server, server.accounts[ANNA], 'GET', '/users/me/channels')).find(({ name }) => name === CHANNEL)
  await anna.page.goto(`${server.url}/main/channels/${channel.id}?join_call=true`)
  await anna.page.getByText('No messages yet. Write the first one.', { exact: true }).waitFor()
  await anna.at('composer').fill('hello all the same')
  await anna.page.keyboard.press('Enter')
  await anna.page.locator('[data-testid="post"]', { hasText: 'all the same' }).waitFor()
  assert.deepEqual(await offered(), [])
  // That there is no such route is a note of the browser's.
  assert.deepEqual(anna.troubles.filter((text) => !/status of 404/.test(text)), [])
})
