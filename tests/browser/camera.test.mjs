// Cameras between two people: on and off, again and again, from the device that was chosen.

import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'

import { ROOT } from './harness/server.mjs'
import { story } from './harness/story.mjs'
import { Miss, until } from './harness/until.mjs'

const [ANNA, BEN] = [0, 1]
const SHOTS = path.join(ROOT, 'target', 'shots')

story('camera', 'in a call of two a camera is tried, shown, switched off and shown again; elsewhere, and where it is not allowed, there is none', async (stage) => {
  await stage.serve({ env: { SIGNALLING_CALLS_VIDEO: 'true' } })
  const anna = await stage.person(ANNA)
  const ben = await stage.person(BEN)
  await anna.startCall()
  await anna.sees('mute')
  assert.equal(await anna.at('camera-toggle').count(), 0, 'a channel is no call of two')
  await anna.leaveCall()

  await anna.writeTo(ben.username)
  await anna.startCall()
  await ben.sees('ring-accept')
  await ben.at('ring-accept').click()
  await ben.sees('leave-call')
  await until("anna's camera can be switched on", () => anna.at('camera-toggle').isEnabled())

  // Tried before it is shown: only she sees it.
  await anna.at('call-more').click()
  await anna.at('open-devices').click()
  await anna.at('test-camera').click()
  await until('the preview shows something', () => anna.at('camera-preview').evaluate((video) => video.videoWidth > 0))
  const names = await anna.at('camera').locator('option').allTextContents()
  assert.ok(names.length >= 2 && names.every((name) => name.length > 0), `devices have names: ${names.join(' | ')}`)
  await anna.at('camera').selectOption({ index: 1 })
  await anna.at('close-dialog').click()
  assert.equal(await picture(ben, anna).count(), 0)

  await anna.at('camera-toggle').click()
  await shows(ben, anna)
  await shows(anna, anna)
  assert.match(await ben.describes(anna.username), /camera on/)
  await anna.at('toggle-wide').click()
  await ben.at('camera-toggle').click()
  await shows(anna, ben)
  fs.mkdirSync(SHOTS, { recursive: true })
  await anna.page.screenshot({ path: path.join(SHOTS, 'camera.png') })

  // Off is off: no picture there, and the device is let go here; then the same way back.
  for (const round of [1, 2]) {
    await anna.at('camera-toggle').click()
    await picture(ben, anna).waitFor({ state: 'detached' })
    assert.equal(await anna.at('camera-toggle').getAttribute('aria-pressed'), 'false', `round ${round}`)
    await anna.at('camera-toggle').click()
    await shows(ben, anna)
  }

  // Who comes in later sees it as well.
  await ben.page.reload()
  await ben.sees('leave-call')
  await shows(ben, anna)

  // In another channel it is marked, and can be switched off.
  await anna.enter('town-square')
  await anna.sees('stop-camera')
  await anna.page.screenshot({ path: path.join(SHOTS, 'bar-camera.png') })
  await anna.at('stop-camera').click()
  await picture(ben, anna).waitFor({ state: 'detached' })
  await anna.sees('stop-camera', { shown: false })
  assert.deepEqual([...anna.troubles, ...ben.troubles], [])
})

story('no_camera', 'a server without cameras offers none, in a call of two and in the devices', async (stage) => {
  await stage.serve()
  const anna = await stage.person(ANNA)
  await anna.writeTo('ben')
  await anna.startCall()
  await anna.at('call-more').click()
  await anna.at('open-devices').click()
  await anna.sees('microphone')
  assert.equal(await anna.at('camera').count() + await anna.at('camera-toggle').count(), 0)
})

function picture(person, of) {
  return person.page.locator(`[data-testid="participant-${of.username}"] [data-testid="camera-picture"]`)
}

/** Frames go on coming. */
async function shows(person, of) {
  await until(`${person.username} sees ${of.username}'s camera`, async () => {
    const before = await frames(person, of)
    await person.page.waitForTimeout(300)
    const after = await frames(person, of)
    return after.width > 0 && after.count > before.count ? true : new Miss({ before, after })
  })
}

function frames(person, of) {
  return picture(person, of).evaluate((video) => ({ width: video.videoWidth, count: video.getVideoPlaybackQuality().totalVideoFrames }))
}
