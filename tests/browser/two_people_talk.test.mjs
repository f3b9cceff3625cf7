// Two people, then three, in one channel's call: what each one hears is measured.

import assert from 'node:assert/strict'

import { firstHeard, hearsNoTone, hearsTone, peers, restartIce } from './harness/listen.mjs'
import { story } from './harness/story.mjs'
import { TONES } from './harness/tones.mjs'
import { Miss, until } from './harness/until.mjs'

const [ANNA, BEN, CARLA] = [0, 1, 2]

story('two_people_talk', 'two people hear each other, mute silences, a third joins late and hears both', async (stage) => {
  await stage.serve()
  const anna = await stage.person(ANNA, { hz: TONES.first })
  const ben = await stage.person(BEN, { hz: TONES.second })

  await anna.startCall()
  await anna.unmute()
  const pressedAt = await ben.joinCall()
  const heardAt = await firstHeard(ben.page, TONES.first, { since: pressedAt })
  stage.say(`join to first sound: ${heardAt - pressedAt} ms; connecting alone: ${(await peers(ben.page)).at(-1).connectMs} ms`)
  await ben.unmute()

  const atAnna = await hearsTone(anna.page, TONES.second, { who: 'anna' })
  const atBen = await hearsTone(ben.page, TONES.first, { who: 'ben' })
  stage.say(`anna hears ${atAnna.hz.toFixed(1)} Hz at RMS ${atAnna.rms.toFixed(3)}, ben ${atBen.hz.toFixed(1)} Hz at ${atBen.rms.toFixed(3)}`)
  await anna.seesParticipant(ben.username)
  await ben.seesParticipant(anna.username)

  // Muted: nothing is left of the tone at the other side, and the other side can see why.
  await ben.mute()
  const left = await hearsNoTone(anna.page, TONES.second, { who: 'anna' })
  stage.say(`left of the tone after mute: RMS ${left.toFixed(5)}`)
  await until('anna sees that ben is muted', async () => {
    const text = await anna.describes(ben.username)
    return text.includes('muted') && !text.includes('unmuted') ? true : new Miss(text)
  })
  await hearsTone(ben.page, TONES.first, { who: 'ben, while muted himself,' })
  await ben.unmute()
  await hearsTone(anna.page, TONES.second, { who: 'anna, after unmute,' })

  // ICE that begins again, as after a change of network, changes nothing for the ear.
  await restartIce(ben.page, 'ben')
  await hearsTone(anna.page, TONES.second, { who: 'anna, after the restart of ICE,' })
  await hearsTone(ben.page, TONES.first, { who: 'ben, after the restart of ICE,' })

  await ben.raiseHand()
  await until("anna sees ben's raised hand", async () => {
    const text = await anna.describes(ben.username)
    return text.includes('hand') || text.includes('✋') ? true : new Miss(text)
  })

  await ben.react('clap')
  await anna.page.locator(`[data-testid="participant-${ben.username}"] [data-testid="reaction"]`).waitFor()

  // A third person joins late and gets both; then one leaves and is missed by the others.
  const carla = await stage.person(CARLA, { hz: TONES.third })
  await carla.joinCall()
  await carla.unmute()
  await hearsTone(carla.page, TONES.first, { who: 'carla' })
  await hearsTone(carla.page, TONES.second, { who: 'carla' })
  await hearsTone(anna.page, TONES.third, { who: 'anna' })
  await hearsTone(ben.page, TONES.third, { who: 'ben' })

  await ben.leaveCall()
  await anna.seesParticipant(ben.username, { shown: false })
  await carla.seesParticipant(ben.username, { shown: false })
  await hearsNoTone(anna.page, TONES.second, { who: 'anna' })
  await hearsTone(anna.page, TONES.third, { who: 'anna, after ben left,' })

  assert.deepEqual([anna, ben, carla].flatMap(({ troubles }) => troubles), [])
})

story('reload_rejoins', 'reload of a page rejoins the same call', async (stage) => {
  await stage.serve()
  const anna = await stage.person(ANNA, { hz: TONES.first })
  const ben = await stage.person(BEN, { hz: TONES.second })
  await anna.startCall()
  await anna.unmute()
  await ben.joinCall()
  await hearsTone(ben.page, TONES.first, { who: 'ben' })
  const callBefore = await callOf(ben)

  await ben.page.reload()
  await hearsTone(ben.page, TONES.first, { who: 'ben, after the reload and without a click,', ms: 20_000 })
  await ben.sees('leave-call')
  assert.equal(await callOf(ben), callBefore, 'the call is the same one')

  // The session before the reload is gone: there is one ben, and he is heard once.
  await until('anna sees one ben', async () => {
    const count = await anna.page.locator(`[data-testid="participant-${ben.username}"]`).count()
    return count === 1 ? true : new Miss(`${count} entries`)
  })
  await ben.unmute()
  await hearsTone(anna.page, TONES.second, { who: 'anna' })
})

/** The id of the call that the person's channel has now, from the calls API. */
async function callOf(person) {
  return person.page.evaluate(async () => {
    const answer = await fetch('/plugins/com.mattermost.calls/channels', { headers: { 'X-Requested-With': 'XMLHttpRequest' } })
    const channels = await answer.json()
    return channels.find(({ call }) => call)?.call.id
  })
}
