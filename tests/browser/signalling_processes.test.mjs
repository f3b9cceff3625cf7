// Several signalling processes behind nginx, on one PostgreSQL: one leads, any serves anybody, and a call
// outlives each of them.

import assert from 'node:assert/strict'

import { Cluster } from './harness/cluster.mjs'
import { hearsTone } from './harness/listen.mjs'
import { Person } from './harness/person.mjs'
import { CHANNEL, story } from './harness/story.mjs'
import { TONES } from './harness/tones.mjs'
import { Miss, until } from './harness/until.mjs'

const [ANNA, BEN, CARLA] = [0, 1, 2]

/** Writes a message, by the page; what cannot be sent at first is sent again. */
async function says(person, text) {
  await person.at('composer').fill(text)
  await person.at('composer').press('Enter')
}

async function reads(person, text) {
  await person.page.getByText(text, { exact: true }).first().waitFor({ timeout: 30_000 })
}

/** Waits until another process leads than in this epoch. */
function nextLeader(cluster, epoch) {
  return until('another signalling process leads', () => {
    const [now, name] = cluster.leader()
    return now > epoch ? [now, name] : new Miss(`epoch ${now}`)
  }, { ms: 20_000 })
}

story('signalling_dies', 'the signalling process that leads is killed, then another is frozen: a call and its chat go on', async (stage) => {
  const cluster = stage.server = await Cluster.start('signalling_dies', { media: ['one'], fronts: ['left', 'right'] })
  const anna = await stage.person(ANNA, { hz: TONES.first })
  const ben = await stage.person(BEN, { hz: TONES.second })
  await anna.startCall()
  await anna.unmute()
  await ben.joinCall()
  await ben.unmute()
  await hearsTone(ben.page, TONES.first, { who: 'ben' })
  await says(anna, 'before')
  await reads(ben, 'before')

  const [epoch, dies] = cluster.leader()
  const killedAt = Date.now()
  cluster.signal(dies, 'SIGKILL')
  const [second, leads] = await nextLeader(cluster, epoch)
  assert.notEqual(leads, dies)
  stage.say(`from the kill to the next leader: ${Date.now() - killedAt} ms`)
  await hearsTone(ben.page, TONES.first, { who: 'ben, after the leader died,' })
  await says(anna, 'after the first')
  await reads(ben, 'after the first')
  stage.say(`from the kill to a message that arrived: ${Date.now() - killedAt} ms`)
  await anna.seesParticipant(ben.username)
  await ben.seesParticipant(anna.username)

  // The one that died comes back, stands by, and serves whoever comes to it.
  cluster.startFront(dies)
  await until('it stands by', () => cluster.log(dies).includes('stands by, and hands people on'))
  await anna.at('administration').click()
  await anna.at('tab-nodes').click()
  await anna.page.locator(`[data-testid="node-${leads}"][data-state="up"]`).waitFor()
  await anna.page.locator(`[data-testid="node-${dies}"][data-state="stands by"]`).waitFor()
  await anna.at('close-dialog').click()
  const carla = await Person.open(`http://127.0.0.1:${cluster.fronts.get(dies).port}`, cluster.accounts[CARLA])
  stage.people.push(carla)
  await carla.signIn()
  await carla.enter(CHANNEL)
  await carla.joinCall()
  await hearsTone(carla.page, TONES.first, { who: 'carla, at a process that stands by,' })
  await anna.seesParticipant(carla.username)

  const frozenAt = Date.now()
  cluster.signal(leads, 'SIGSTOP')
  await nextLeader(cluster, second)
  stage.say(`from the freeze to the next leader: ${Date.now() - frozenAt} ms`)
  await says(carla, 'while one is frozen')
  // Whoever leads no longer ends as soon as it can: it wrote nothing, and its people go to the other.
  cluster.signal(leads, 'SIGCONT')
  await cluster.ended(leads, { ms: 10_000 })
  assert.match(cluster.log(leads), /another leads in its place/)
  for (const person of [anna, ben]) await reads(person, 'while one is frozen')
  await hearsTone(ben.page, TONES.first, { who: 'ben, after the freeze,' })
  await carla.seesParticipant(anna.username)

  // Whoever is stopped in order leaves its place free: nobody waits for its silence.
  const stoodBy = () => cluster.log(leads).split('stands by, and hands people on').length
  const before = stoodBy()
  cluster.startFront(leads)
  await until('it stands by again', () => stoodBy() > before)
  const [third, stops] = cluster.leader()
  const stoppedAt = Date.now()
  cluster.signal(stops, 'SIGTERM')
  await nextLeader(cluster, third)
  stage.say(`from SIGTERM to the next leader: ${Date.now() - stoppedAt} ms`)
  assert.equal(await cluster.ended(stops, { ms: 10_000 }), 0, 'it ends in order')
  assert.doesNotMatch(cluster.log(leads).split('stands by, and hands people on').at(-1), /was silent for/)
  await hearsTone(ben.page, TONES.first, { who: 'ben, after the leader was stopped,' })
})
