// Firefox and Chromium in one call: sound and a shared screen both ways. Both browsers' counters say
// that what the server itself encrypts, numbers and reports is understood: nothing lost, reports read.

import assert from 'node:assert/strict'

import { counters, firstHeard, hearsNoTone, hearsTone, restartIce, seesColours, wear } from './harness/listen.mjs'
import { story } from './harness/story.mjs'
import { TONES } from './harness/tones.mjs'
import { Miss, until } from './harness/until.mjs'

const [ANNA, BEN] = [0, 1]
const SCREEN = '[data-testid="screen-video"]'
const BEFORE = ['red', 'lime', 'blue', 'yellow']
const AFTER = ['yellow', 'blue', 'lime', 'red']
/** A busy machine may lose a few on its own loopback; wrong numbers or keys lose far more. */
const MOST_LOST = 0.01
const MOVING_FRAMES = 5

story('firefox_talks_to_chromium', 'Firefox and Chromium hear each other and see what the other shares', async (stage) => {
  await stage.serve()
  const [anna, ben] = await Promise.all([
    stage.person(ANNA, { hz: TONES.first }),
    stage.person(BEN, { hz: TONES.second, firefox: true }),
  ])
  const hearEachOther = async (when) => {
    await hearsTone(anna.page, TONES.second, { who: `anna, ${when},` })
    await hearsTone(ben.page, TONES.first, { who: `ben, ${when},` })
  }
  await anna.startCall()
  await anna.unmute()
  let pressedAt = await ben.joinCall()
  let heardAt = await firstHeard(ben.page, TONES.first, { since: pressedAt })
  stage.say(`Firefox: join to first sound ${heardAt - pressedAt} ms`)
  await ben.unmute()
  await hearEachOther('at first')

  // A pause leaves no gap in the numbers, and a new path no silence.
  await ben.mute()
  await hearsNoTone(anna.page, TONES.second, { who: 'anna' })
  await ben.unmute()
  await hearEachOther('after unmute')
  await restartIce(ben.page, 'ben')
  await hearEachOther('after the restart of ICE')

  await seesShare(anna, ben)
  stage.say(`Firefox counts ${JSON.stringify(await understood(ben, ['audio in', 'audio out', 'video in']))}`)
  await anna.stopSharing()
  await ben.sees('screen-video', { shown: false })

  await seesShare(ben, anna)
  stage.say(`Chromium counts ${JSON.stringify(await understood(anna, ['audio in', 'audio out', 'video in']))}`)
  await ben.stopSharing()
  await anna.sees('screen-video', { shown: false })

  await ben.leaveCall()
  await hearsNoTone(anna.page, TONES.second, { who: 'anna' })
  pressedAt = await ben.joinCall()
  heardAt = await firstHeard(ben.page, TONES.first, { since: pressedAt })
  await ben.unmute()
  await hearsTone(anna.page, TONES.second, { who: 'anna, after ben came back,' })

  assert.deepEqual([anna, ben].flatMap(({ troubles }) => troubles), [])
})

/** One shares, the other sees the picture, then the next one, and frames in a row. */
async function seesShare(sharer, viewer) {
  await sharer.shareScreen(BEFORE)
  await seesColours(viewer.page, SCREEN, BEFORE, { who: viewer.username })
  await wear(sharer.page, AFTER)
  await seesColours(viewer.page, SCREEN, AFTER, { who: viewer.username })
  const first = (await counters(viewer.page))['video in'].frames
  await until(`${viewer.username} sees the screen move`, async () => {
    const now = (await counters(viewer.page))['video in'].frames
    return now >= first + MOVING_FRAMES ? true : new Miss(`${now - first} frames more`)
  })
}

/** Waits for the server's reports on the named directions; says all counters when losses are near 0. */
async function understood(person, directions) {
  const all = await until(`${person.username} gets the server's reports on ${directions.join(', ')}`, async () => {
    const now = await counters(person.page)
    return directions.every((name) => now[name] && (now[name].announced ?? now[name].reported)) ? now : new Miss(now)
  })
  for (const name of directions) {
    const { packets, lost, announced, reported } = all[name]
    assert.ok(packets > 0, `${person.username}: no packet, ${name}`)
    assert.ok(lost + (reported?.lost ?? 0) <= packets * MOST_LOST, `${person.username} lost, ${name}: ${JSON.stringify(all[name])}`)
    // The server's count of what it sent is a moment older than the receiver's own.
    if (announced !== undefined) assert.ok(announced > 0 && announced <= packets * (1 + MOST_LOST) + 1, `${name}: ${announced} announced, ${packets} came`)
  }
  return all
}
