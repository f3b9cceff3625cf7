// A shared screen: the viewers decode frames and find the sharer's colours in them.

import assert from 'node:assert/strict'

import { counters, seesColours, wear } from './harness/listen.mjs'
import { story } from './harness/story.mjs'
import { TONES } from './harness/tones.mjs'

const [ANNA, BEN, CARLA] = [0, 1, 2]
const SCREEN = '[data-testid="screen-video"]'
const BEFORE = ['red', 'lime', 'blue', 'yellow']
const AFTER = ['yellow', 'blue', 'lime', 'red']

story('screen_is_seen', 'a shared screen reaches a viewer and a late one, changes, and goes away', async (stage) => {
  await stage.serve()
  const anna = await stage.person(ANNA, { hz: TONES.first })
  const ben = await stage.person(BEN)
  await anna.startCall()
  await ben.joinCall()
  await anna.seesParticipant(ben.username)

  await anna.shareScreen(BEFORE)
  const first = await seesColours(ben.page, SCREEN, BEFORE, { who: 'ben' })
  stage.say(`ben decodes ${first.width}x${first.height}`)

  // Not a still picture: what changes on the shared screen changes at the viewer.
  await wear(anna.page, AFTER)
  const second = await seesColours(ben.page, SCREEN, AFTER, { who: 'ben' })
  assert.ok(second.frames > first.frames, `${first.frames} then ${second.frames} frames`)

  // A late viewer needs a keyframe that nobody asked for when the share began.
  const carla = await stage.person(CARLA)
  const pressedAt = await carla.joinCall()
  await seesColours(carla.page, SCREEN, AFTER, { who: 'carla' })
  stage.say(`late viewer: ${Date.now() - pressedAt} ms from join to picture; counters ${JSON.stringify(await counters(carla.page))}`)

  await anna.stopSharing()
  await ben.sees('screen-video', { shown: false })
  await carla.sees('screen-video', { shown: false })

  // The same person may share again, and another one after that.
  await anna.shareScreen(BEFORE)
  await seesColours(ben.page, SCREEN, BEFORE, { who: 'ben, at the second share,' })
  await anna.stopSharing()
  await ben.sees('screen-video', { shown: false })
  await ben.shareScreen(AFTER)
  await seesColours(carla.page, SCREEN, AFTER, { who: "carla, of ben's screen," })

  assert.deepEqual([anna, ben, carla].flatMap(({ troubles }) => troubles), [])
})
