// A shared screen: the viewers decode frames and find the sharer's colours in them.

import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'

import { counters, seesColours, wear } from './harness/listen.mjs'
import { ROOT } from './harness/server.mjs'
import { CHANNEL, story } from './harness/story.mjs'
import { TONES } from './harness/tones.mjs'
import { Miss, until } from './harness/until.mjs'

const [ANNA, BEN, CARLA] = [0, 1, 2]
const SCREEN = '[data-testid="screen-video"]'
const BEFORE = ['red', 'lime', 'blue', 'yellow']
const AFTER = ['yellow', 'blue', 'lime', 'red']

story('screen_is_seen', 'a shared screen reaches a viewer and a late one, changes, and goes away', async (stage) => {
  await stage.serve({ env: { MM_CALLS_ENABLE_RINGING: 'true' } })
  const anna = await stage.person(ANNA, { hz: TONES.first })
  const ben = await stage.person(BEN, { viewport: { width: 1280, height: 800 } })
  const carla = await stage.person(CARLA)
  await anna.startCall()
  await ben.joinCall()
  await anna.seesParticipant(ben.username)

  await anna.shareScreen(BEFORE)
  const first = await seesColours(ben.page, SCREEN, BEFORE, { who: 'ben' })
  stage.say(`ben decodes ${first.width}x${first.height}`)
  assert.equal(await soundsOfScreen(anna), 1, 'its sound is shared as well')
  await hasRoom(stage, ben, anna)
  await hasRoomOnALaptop(stage, ben, anna)
  await comesCloser(ben)
  await fillsTheScreen(ben, carla)

  // Not a still picture: what changes on the shared screen changes at the viewer.
  await wear(anna.page, AFTER)
  const second = await seesColours(ben.page, SCREEN, AFTER, { who: 'ben' })
  assert.ok(second.frames > first.frames, `${first.frames} then ${second.frames} frames`)

  // A late viewer needs a keyframe that nobody asked for when the share began.
  await carla.enter(CHANNEL)
  const pressedAt = await carla.joinCall()
  await seesColours(carla.page, SCREEN, AFTER, { who: 'carla' })
  stage.say(`late viewer: ${Date.now() - pressedAt} ms from join to picture; counters ${JSON.stringify(await counters(carla.page))}`)

  await anna.stopSharing()
  await ben.sees('screen-video', { shown: false })
  await carla.sees('screen-video', { shown: false })

  // The same person may share again, without the sound of what is shown, and another one after that.
  await anna.at('share-options').click()
  await anna.at('share-sound').uncheck()
  await anna.page.keyboard.press('Escape')
  await anna.shareScreen(BEFORE)
  assert.equal(await soundsOfScreen(anna), 0)
  await seesColours(ben.page, SCREEN, BEFORE, { who: 'ben, at the second share,' })
  await anna.stopSharing()
  await ben.sees('screen-video', { shown: false })
  await ben.shareScreen(AFTER)
  await seesColours(carla.page, SCREEN, AFTER, { who: "carla, of ben's screen," })

  assert.deepEqual([anna, ben, carla].flatMap(({ troubles }) => troubles), [])
})

/** At least 80 % of the window's width is the sharer's screen; whose it is, and who speaks, stand beside it. */
async function hasRoom(stage, viewer, sharer) {
  const shown = await until('the screen has its room', async () => {
    const found = await shownSize(viewer)
    return found.width >= 0.8 * 1280 ? found : new Miss(found)
  }, { ms: 5_000 })
  stage.say(`of 1280x800 the screen has ${Math.round(shown.width)}x${Math.round(shown.height)}`)
  assert.match(await viewer.page.locator('.screen figcaption').textContent(), /Anna Berg/)
  const [people, screen] = await Promise.all([viewer.at('participants').boundingBox(), viewer.at('screen-frame').boundingBox()])
  assert.ok(people.x >= screen.x + screen.width - 1 && people.height > 100, `the people stand beside it: ${JSON.stringify({ people, screen })}`)
  for (const control of ['mute', 'leave-call', `participant-${sharer.username}`]) await isInSight(viewer, control, { width: 1280, height: 800 })
  const shots = path.join(ROOT, 'target', 'shots')
  fs.mkdirSync(shots, { recursive: true })
  await viewer.page.screenshot({ path: path.join(shots, 'screen-1280x800.png') })
}

/** 1366x650, a small laptop's window: its height is the limit, and the screen has all that the controls leave of it. */
async function hasRoomOnALaptop(stage, viewer, sharer) {
  const [before, window] = [viewer.page.viewportSize(), { width: 1366, height: 650 }]
  await viewer.page.setViewportSize(window)
  const shown = await until('the screen has its room at 1366x650', async () => {
    const found = await shownSize(viewer)
    return found.height >= 0.75 * window.height ? found : new Miss(found)
  }, { ms: 5_000 })
  stage.say(`of 1366x650 the screen has ${Math.round(shown.width)}x${Math.round(shown.height)}`)
  for (const control of ['mute', 'leave-call', `participant-${sharer.username}`]) await isInSight(viewer, control, window)
  await viewer.page.screenshot({ path: path.join(ROOT, 'target', 'shots', 'screen-1366x650.png') })
  await viewer.page.setViewportSize(before)
}

async function isInSight(viewer, testId, { width, height }) {
  const box = await viewer.at(testId).boundingBox()
  assert.ok(box && box.x >= 0 && box.y >= 0 && box.x + box.width <= width && box.y + box.height <= height, `${testId} is in sight: ${JSON.stringify(box)}`)
}

/** Enlarged by button, wheel and key, moved by dragging, and whole again. */
async function comesCloser(viewer) {
  const frame = viewer.at('screen-frame')
  const scale = async () => Number(await frame.getAttribute('data-scale'))
  await viewer.at('screen-zoom-in').click()
  assert.equal(await scale(), 1.25)
  await frame.focus()
  await viewer.page.keyboard.press('+')
  await until('the key enlarges', async () => (await scale()) > 1.5)
  const box = await frame.boundingBox()
  const middle = [box.x + box.width / 2, box.y + box.height / 2]
  await viewer.page.mouse.move(...middle)
  await viewer.page.keyboard.down('Control')
  await viewer.page.mouse.wheel(0, -300)
  await viewer.page.keyboard.up('Control')
  await until('the wheel enlarges', async () => (await scale()) > 3)
  const before = await viewer.at('screen-video').boundingBox()
  await viewer.page.mouse.down()
  await viewer.page.mouse.move(middle[0] + 120, middle[1] + 60, { steps: 4 })
  await viewer.page.mouse.up()
  const after = await viewer.at('screen-video').boundingBox()
  assert.ok(Math.abs(after.x - before.x - 120) < 3 && Math.abs(after.y - before.y - 60) < 3, `dragging moves it: ${JSON.stringify({ before, after })}`)
  await viewer.at('screen-fit').click()
  assert.equal(await scale(), 1)
}

/** By button and by key, with the controls of the call; and who calls is seen there. */
async function fillsTheScreen(viewer, caller) {
  const full = () => viewer.page.evaluate(() => document.fullscreenElement?.className ?? '')
  await viewer.at('screen-full').click()
  await until('the stage fills the screen', async () => (await full()) === 'stage')
  assert.ok(await viewer.at('mute').isVisible())
  await caller.writeTo(viewer.username)
  await caller.startCall()
  await viewer.sees('incoming-call')
  const onTop = await viewer.at('ring-decline').evaluate((button) => {
    const { x, y, width, height } = button.getBoundingClientRect()
    return button.contains(document.elementFromPoint(x + width / 2, y + height / 2))
  })
  assert.ok(onTop, 'the card lies above the screen')
  await viewer.page.screenshot({ path: path.join(ROOT, 'target', 'shots', 'ringing-full-screen.png') })
  await viewer.at('ring-decline').click()
  await viewer.sees('incoming-call', { shown: false })
  await caller.leaveCall()
  await viewer.page.keyboard.press('Alt+Enter')
  await until('the key ends it', async () => (await full()) === '')
  await viewer.page.keyboard.press('Alt+Enter')
  await until('the key begins it', async () => (await full()) === 'stage')
  await viewer.at('screen-full').click()
  await until('the button ends it', async () => (await full()) === '')
  await viewer.at('screen-popout').click()
  await until('the screen has a window of its own', () => viewer.page.evaluate(() => document.pictureInPictureElement !== null))
  await viewer.at('screen-popout').click()
  await until('and no longer', () => viewer.page.evaluate(() => document.pictureInPictureElement === null))
}

/** Size of the picture itself, without the bars beside it. */
async function shownSize(viewer) {
  return viewer.at('screen-video').evaluate((video) => {
    const box = video.getBoundingClientRect()
    const scale = Math.min(box.width / video.videoWidth, box.height / video.videoHeight)
    return { width: video.videoWidth * scale, height: video.videoHeight * scale, of: [video.videoWidth, video.videoHeight] }
  })
}

/** Tracks of sound that the sharer's screen comes with. */
function soundsOfScreen(sharer) {
  return sharer.page.evaluate(() => window.callsClient.screen?.getAudioTracks().length ?? 0)
}
