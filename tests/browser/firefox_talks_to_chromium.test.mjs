// Firefox and Chromium in one call: sound and a shared screen both ways. Both browsers' counters say
// that what the server itself encrypts, numbers and reports is understood: nothing lost, reports read.

import assert from 'node:assert/strict'

import { ask } from './harness/chat.mjs'
import { counters, firstHeard, hearsNoTone, hearsTone, restartIce, seesColours, wear } from './harness/listen.mjs'
import { conversation } from './harness/speech.mjs'
import { CHANNEL, story } from './harness/story.mjs'
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

story('firefox_comes_by_a_link', 'who comes by a link with Firefox is heard, sees the screen, reads captions and messages, and mutes others as a host', async (stage) => {
  await stage.serve()
  const ben = await stage.person(BEN, { microphone: conversation(stage.scratch)[0].file })
  // The first sample account administers the system: it may what hosts may.
  const anna = await stage.stranger(ANNA, { hz: TONES.first, firefox: true })
  await ben.startCall()
  await comesByLink(stage, anna)
  await hearsTone(ben.page, TONES.first, { who: 'ben' }) // as she chose in the lobby
  await anna.mute()

  await ben.at('record-start').click()
  await anna.sees('recording-notice', { ms: 60_000 })
  await anna.at('recording-understood').click()
  await ben.unmute()
  await ben.shareScreen(BEFORE)
  await seesColours(anna.page, SCREEN, BEFORE, { who: 'anna' })
  await anna.page.locator('[data-testid="caption"][data-notice="false"]', { hasText: /\w+ \w+/ }).first().waitFor({ timeout: 60_000 })
  await ben.stopSharing()
  await ben.at('composer').fill('do you read me?')
  await ben.at('composer').press('Enter')
  await anna.page.locator('[data-testid="post"]', { hasText: 'do you read me?' }).waitFor()
  await anna.at('composer').fill('I do')
  await anna.at('composer').press('Enter')
  await ben.page.locator('[data-testid="post"]', { hasText: 'I do' }).waitFor()

  await anna.at(`person-menu-${ben.username}`).click()
  await anna.at('host-mute').click()
  await ben.page.locator('[data-testid="call-note"][data-kind="muted"]').waitFor()
  assert.ok(await ben.isMuted())
  assert.deepEqual([anna, ben].flatMap(({ troubles }) => troubles), [])
})

/** Opens the link of the channel's call without being signed in, and joins in the lobby, to be heard at once. */
async function comesByLink({ server }, person) {
  const channels = await ask(server, person.account, 'GET', '/users/me/channels')
  await person.page.goto(`${server.url}/main/channels/${channels.find(({ name }) => name === CHANNEL).id}?join_call=true`)
  await person.signIn()
  await person.sees('lobby')
  await person.sees('microphone')
  await person.at('lobby-unmuted').check()
  await person.at('lobby-join').click()
  await person.sees('leave-call')
}

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
