// Where the system chooses the colours (Windows' contrast themes): what is a control, where the focus is and
// what is chosen is seen in every main state, by pixels, with a light and a dark theme of the system.

import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'

import { post } from './harness/chat.mjs'
import { isHighlighted, unseen } from './harness/contrast.mjs'
import { ROOT } from './harness/server.mjs'
import { CHANNEL, story } from './harness/story.mjs'
import { TONES } from './harness/tones.mjs'

const [ANNA, BEN] = [0, 1]
const SHOTS = path.join(ROOT, 'target', 'shots', 'forced-colours')

story('forced_colours', "with the system's colours all controls, the focus and what is chosen are seen, from sign-in to a shared screen", async (stage) => {
  const { accounts } = await stage.serve()
  await post(stage.server, accounts[BEN], CHANNEL, 'a message')
  fs.mkdirSync(SHOTS, { recursive: true })
  const ben = await stage.stranger(BEN)
  const found = []
  const look = async (state) => {
    for (const colorScheme of ['light', 'dark']) {
      await ben.page.emulateMedia({ forcedColors: 'active', colorScheme })
      found.push(...await unseen(ben, `${state}, ${colorScheme}`, path.join(SHOTS, `${state}-${colorScheme}.png`)))
    }
  }
  const chosen = async (testId) => { if (!await isHighlighted(ben.at(testId))) found.push(`\`${testId}\` is chosen, and not marked by the system's colours`) }
  await ben.sees('sign-in')
  await look('sign-in')

  await ben.signIn()
  await ben.enter(CHANNEL)
  await ben.page.locator('[data-testid="post"]').first().waitFor()
  await look('channel')
  await chosen(`channel-${CHANNEL}`)

  await ben.at('composer').pressSequentially('@an')
  await ben.sees('suggestion-anna')
  await chosen('suggestion-anna')
  await ben.page.keyboard.press('Escape')
  await ben.at('composer').fill('')

  await ben.page.locator('[data-testid="post"]').first().hover()
  await ben.at('post-menu').click()
  await ben.sees('copy-text')
  await look('menu')
  await ben.page.keyboard.press('Escape')

  await ben.at('profile').click()
  await ben.at('tab-look').click()
  await look('dialog')
  await chosen('tab-look')
  await ben.page.keyboard.press('Escape')

  const anna = await stage.person(ANNA, { hz: TONES.first })
  await anna.startCall()
  await anna.shareScreen(['red', 'lime', 'blue', 'yellow'])
  await ben.joinCall()
  await ben.sees('screen-video')
  await look('shared-screen')
  const pressed = (testId) => ben.at(testId).evaluate((button) => parseFloat(getComputedStyle(button).borderTopWidth))
  if (await pressed('mute') <= await pressed('leave-call')) found.push('muted looks as unmuted does')
  await ben.at('call-more').click()
  await ben.sees('open-devices')
  await look('call-menu')
  assert.deepEqual(found, [])
  // Whether one follows a message without answers is asked, and the answer is that there is no thread.
  assert.deepEqual([anna, ben].flatMap(({ troubles }) => troubles).filter((text) => !/status of 404/.test(text)), [])
})
