// Three people with different rights: a host, an administrator of the system, and one with neither.
// What the host does happens to the one it is meant for, and that one is told.

import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'

import { hearsNoTone, hearsTone } from './harness/listen.mjs'
import { ROOT } from './harness/server.mjs'
import { CHANNEL, story } from './harness/story.mjs'
import { TONES } from './harness/tones.mjs'
import { Miss, until } from './harness/until.mjs'

/** The first sample account administers the system. */
const [ADMIN, HOST, GUEST] = [0, 1, 2]
const SHOTS = path.join(ROOT, 'target', 'shots')

story('host_controls', 'hosts and administrators act on people, who are told; others are offered nothing', async (stage) => {
  await stage.serve()
  const ben = await stage.person(HOST)
  await ben.startCall()
  const anna = await stage.person(ADMIN)
  await anna.joinCall()
  const carla = await stage.person(GUEST, { hz: TONES.third })
  await carla.joinCall()
  await carla.unmute()
  await hearsTone(ben.page, TONES.third, { who: 'ben' })

  // Who may not is not offered it: of others there is only their volume, of the call only leaving.
  assert.deepEqual(await offered(carla, ben.username), ['volume'])
  assert.equal(await carla.at(`person-menu-${carla.username}`).count(), 0)
  assert.equal(await carla.at('end-call').count(), 0)
  assert.deepEqual(await offered(ben, carla.username), ['volume', 'host-mute', 'host-mute-others', 'host-make', 'host-remove'])
  assert.deepEqual(await offered(anna, anna.username), ['host-mute-others', 'host-make'])

  await act(ben, carla.username, 'host-mute')
  await told(carla, 'muted', /host muted you/)
  assert.ok(await carla.isMuted())
  await hearsNoTone(ben.page, TONES.third, { who: 'ben' })
  await noNotes(anna)

  // An administrator may, too; who lowered the hand is named.
  await carla.raiseHand()
  await anna.page.locator(`[data-testid="participant-${carla.username}"][data-hand="true"]`).waitFor()
  await act(anna, carla.username, 'host-lower-hand')
  await told(carla, 'hand-lowered', /^Anna .* lowered your hand/)
  await ben.page.locator(`[data-testid="participant-${carla.username}"][data-hand="false"]`).waitFor()

  await carla.unmute()
  await anna.unmute()
  await ben.at('people-toggle').click()
  await ben.at('mute-others').click()
  for (const person of [anna, carla]) await until(`${person.username} is muted`, () => person.isMuted())
  await ben.at('close-people').click()

  await carla.shareScreen(['red', 'lime', 'blue', 'yellow'])
  await ben.sees('screen-video')
  await act(ben, carla.username, 'host-screen-off')
  await carla.sees('stop-share', { shown: false })
  await told(carla, 'screen-stopped', /stopped your screen/)
  await ben.sees('screen-video', { shown: false })

  // Everybody hears of a new host, and the controls move with the role.
  await act(ben, carla.username, 'host-make')
  await told(carla, 'host-changed', /You are the host now/)
  for (const person of [anna, ben]) await told(person, 'host-changed', /^Carla .* is the host now/)
  await carla.sees('end-call')
  await ben.sees('end-call', { shown: false })
  assert.deepEqual(await offered(ben, carla.username), ['volume'])

  // Removing asks first; the focus is not lost with the entry.
  await act(carla, ben.username, 'host-remove')
  await carla.at('host-remove-cancel').click()
  assert.equal(await focus(carla), `person-menu-${ben.username}`)
  // Who is elsewhere then sees it there, with which call it was: in the list of a phone, among the threads.
  await ben.page.setViewportSize({ width: 390, height: 844 })
  await ben.at('all-channels').click()
  await act(carla, ben.username, 'host-remove')
  await carla.at('host-remove-confirm').click()
  await endingBar(ben, 'removed')
  await ben.enter(CHANNEL)
  await ben.at('ending-bar').waitFor({ state: 'detached' })
  await ben.sees('call-ending')
  for (const person of [anna, carla]) await person.seesParticipant(ben.username, { shown: false })
  assert.equal(await focus(carla), 'participants')

  await carla.at('end-call').click()
  await carla.at('end-cancel').click()
  assert.equal(await focus(carla), 'end-call')
  await anna.at('threads').click()
  await anna.sees('threads-view')
  await carla.at('end-call').click()
  await carla.at('end-confirm').click()
  await carla.page.locator('[data-testid="call-ending"][data-code="call-ended"]').waitFor()
  await endingBar(anna, 'call-ended')
  await anna.at('ending-bar').getByRole('button', { name: 'Dismiss' }).click()
  await anna.at('ending-bar').waitFor({ state: 'detached' })

  assert.deepEqual([anna, ben, carla].flatMap(({ troubles }) => troubles), [])
})

/** Below all else, and whole on the screen. */
async function endingBar(person, code) {
  const bar = person.at('ending-bar')
  await bar.locator(`[data-testid="call-ending"][data-code="${code}"]`).waitFor()
  assert.match(await bar.textContent(), /Call in Town Square/)
  const { x, y, width, height } = await bar.boundingBox()
  const { width: wide, height: high } = person.page.viewportSize()
  assert.ok(x >= 0 && y >= 0 && x + width <= wide && y + height <= high && height > 40, JSON.stringify({ x, y, width, height }))
  await picture(person, `ending-${code}`)
}

async function picture({ page }, name) {
  fs.mkdirSync(SHOTS, { recursive: true })
  await page.screenshot({ path: path.join(SHOTS, `${name}.png`) })
}

/** What the menu of a person offers, by test ids. */
async function offered(person, of) {
  await person.at(`person-menu-${of}`).click()
  const menu = person.at(`person-actions-${of}`)
  await menu.waitFor()
  const found = await menu.locator('[data-testid]').evaluateAll((parts) => parts.map((part) => part.dataset.testid))
  await person.page.keyboard.press('Escape')
  await menu.waitFor({ state: 'hidden' })
  return found
}

async function act(person, on, what) {
  await person.at(`person-menu-${on}`).click()
  await person.at(`person-actions-${on}`).locator(`[data-testid="${what}"]`).click()
}

async function told(person, kind, words) {
  await until(`${person.username} is told`, async () => {
    const text = await person.page.locator(`[data-testid="call-note"][data-kind="${kind}"] p`).textContent({ timeout: 2000 })
    return words.test(text) ? true : new Miss(text)
  })
}

async function noNotes(person) {
  assert.equal(await person.page.locator('[data-testid="call-note"]').count(), 0)
}

function focus(person) {
  return until(`the focus of ${person.username} is somewhere`, () => person.page.evaluate(() => document.activeElement?.dataset?.testid))
}
