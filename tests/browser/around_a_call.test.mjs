// What surrounds a call: the sounds of coming and going, the log for whoever looks into a fault, devices
// that go away, and the card of a call that many were in.

import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'

import { hearsTone } from './harness/listen.mjs'
import { Rest } from './harness/rest.mjs'
import { ROOT } from './harness/server.mjs'
import { CHANNEL, story } from './harness/story.mjs'
import { TONES } from './harness/tones.mjs'
import { Miss, until } from './harness/until.mjs'

const [ANNA, BEN] = [0, 1]
const SHOTS = path.join(ROOT, 'target', 'shots')

story('moves_are_heard', 'who comes and goes is heard, unless that is switched off; a log of it reaches whoever sent it', async (stage) => {
  const { url } = await stage.serve()
  const anna = await stage.person(ANNA)
  const ben = await stage.person(BEN)
  await countTones(anna)

  // Before any call there is nothing to send, and that is said.
  await anna.at('composer').fill('/call logs')
  await anna.page.keyboard.press('Enter')
  await anna.page.locator('.notice', { hasText: 'nothing' }).waitFor()
  await anna.at('composer').fill('')

  await anna.startCall()
  await connected(anna)
  assert.equal(await tones(anna), 0, 'oneself is not announced to oneself')
  await ben.joinCall()
  await until('anna hears ben come', async () => (await tones(anna)) > 0)
  const came = await tones(anna)
  await ben.leaveCall()
  await until('anna hears ben go', async () => (await tones(anna)) > came)

  await anna.at('sound-settings').click()
  await anna.at('alert-moves').uncheck()
  await anna.page.keyboard.press('Escape')
  const before = await tones(anna)
  await ben.joinCall()
  await anna.seesParticipant(ben.username)
  await ben.leaveCall()
  await anna.seesParticipant(ben.username, { shown: false })
  assert.equal(await tones(anna), before, 'switched off, nothing sounds')

  // The log: a file from the bot, and a way to it that only she sees.
  await anna.at('composer').fill('a word that is nobody else’s business')
  await anna.page.keyboard.press('Enter')
  await anna.at('composer').fill('/call logs')
  await anna.page.keyboard.press('Enter')
  const answer = anna.page.locator('[data-post-type="system_ephemeral"]', { hasText: 'Logs of the call' })
  await answer.waitFor()
  assert.equal(await answer.locator('a').count(), 1)
  const rest = await Rest.signIn(url, stage.server.accounts[ANNA])
  const file = await until('the bot hands over the file', async () => {
    const [team] = await rest.get('/users/me/teams')
    const direct = (await rest.get(`/users/me/teams/${team.id}/channels`)).filter(({ type }) => type === 'D')
    for (const { id } of direct) {
      const { posts } = await rest.get(`/channels/${id}/posts`)
      const [post] = Object.values(posts).filter(({ file_ids: files }) => (files ?? []).length > 0)
      if (post) return (await rest.file(post.file_ids[0])).toString()
    }
    return new Miss(direct.map(({ name }) => name))
  })
  for (const word of ['state connection=connected', 'event user_joined', 'event user_left']) assert.ok(file.includes(word), `the log lacks \`${word}\`:\n${file.slice(0, 800)}`)
  assert.ok(!file.includes('business'), 'what people write is not in it')
  assert.deepEqual([...anna.troubles, ...ben.troubles].filter((text) => !/status of 400/.test(text)), [])
})

story('devices_go_away', 'a microphone or speaker that goes away is replaced, and the person is told by which', async (stage) => {
  await stage.serve()
  const anna = await stage.person(ANNA, { hz: TONES.first })
  const ben = await stage.person(BEN)
  await anna.page.evaluate(() => {
    window.microphones = []
    const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices)
    navigator.mediaDevices.getUserMedia = async (wish) => {
      const stream = await open(wish)
      window.microphones.push(...stream.getAudioTracks())
      return stream
    }
  })
  await anna.startCall()
  await ben.joinCall()
  await anna.at('call-more').click()
  await anna.at('open-devices').click()
  await until('speakers can be chosen', async () => (await anna.at('speaker').locator('option').count()) > 1)
  await anna.at('speaker').selectOption({ index: 1 })
  const speaker = await anna.at('speaker').locator('option:checked').textContent()
  await anna.at('close-dialog').click()
  await anna.unmute()
  await hearsTone(ben.page, TONES.first, { who: 'ben' })

  await anna.page.evaluate(() => window.microphones.filter(({ readyState }) => readyState === 'live').forEach((track) => {
    track.stop()
    track.dispatchEvent(new Event('ended'))
  }))
  await told(anna, /Your microphone was disconnected\. .+ is used instead\./)
  await hearsTone(ben.page, TONES.first, { who: 'ben, from another microphone,' })

  // The list of devices without the chosen speaker: what the browser says when it was pulled out.
  await anna.page.evaluate(() => {
    const list = navigator.mediaDevices.enumerateDevices.bind(navigator.mediaDevices)
    const chosen = JSON.parse(localStorage.getItem('parley.call-settings')).speaker.id
    navigator.mediaDevices.enumerateDevices = async () => (await list()).filter(({ deviceId }) => deviceId !== chosen)
    navigator.mediaDevices.dispatchEvent(new Event('devicechange'))
  })
  await told(anna, new RegExp(`^${escape(speaker)} is gone`))
  assert.equal(await anna.page.evaluate(() => JSON.parse(localStorage.getItem('parley.call-settings')).speaker.id), '')
  assert.deepEqual([...anna.troubles, ...ben.troubles], [])
})

story('card_of_many', 'the card of a finished call is one line with faces and the others counted', async (stage) => {
  await stage.serve()
  const anna = await stage.person(ANNA)
  await anna.startCall()
  await connected(anna)
  await anna.leaveCall()
  await anna.page.locator('[data-testid="call-post"][data-state="ended"]').waitFor()
  // Twenty-five were in it: as many accounts would take minutes to come and go.
  const others = Array.from({ length: 24 }, (_, number) => `participant${String(number).padStart(15, '0')}`)
  await anna.page.route('**/api/v4/channels/*/posts?*', async (route) => {
    const answer = await route.fetch()
    const list = await answer.json()
    for (const post of Object.values(list.posts)) if (post.type === 'custom_calls') post.props.participants = [...post.props.participants, ...others]
    await route.fulfill({ response: answer, json: list })
  })
  await anna.page.route('**/api/v4/users/ids', async (route) => {
    const wanted = route.request().postDataJSON()
    await route.fulfill({ json: wanted.filter((id) => others.includes(id)).map((id) => ({ id, username: id, first_name: 'Person', last_name: `Number ${others.indexOf(id)}`, roles: 'system_user', delete_at: 0 })) })
  })
  await anna.page.reload()
  await anna.enter(CHANNEL)
  await until('all are counted', async () => {
    const count = await anna.at('call-faces').getAttribute('data-count')
    return count === '25' || new Miss(count)
  })
  assert.match(await anna.at('call-faces').textContent(), /and 20 others$/)
  assert.equal(await anna.at('call-faces').getByRole('img').count(), 5)
  await until('the faces have names', () => anna.at('call-faces').getByRole('img', { name: 'Person Number 0' }).count())
  const { height } = await anna.at('call-post').boundingBox()
  fs.mkdirSync(SHOTS, { recursive: true })
  await anna.page.screenshot({ path: path.join(SHOTS, 'card-of-many.png') })
  assert.ok(height < 70, `the card is ${height} px high`)
  assert.deepEqual(anna.troubles, [])
})

story('calls_off', 'where calls are switched off nobody is offered one, not even to come back into the last', async (stage) => {
  const { url } = await stage.serve()
  const anna = await stage.person(ANNA)
  const ben = await stage.person(BEN)
  const admin = await Rest.signIn(url, stage.server.accounts[ANNA])
  const { id } = await admin.channel(CHANNEL)
  const allow = async (enabled) => {
    const answer = await admin.send('POST', `/plugins/com.mattermost.calls/${id}`, { body: JSON.stringify({ enabled }), headers: { 'content-type': 'application/json' } })
    assert.equal(answer.status, 200, await answer.text())
  }
  await ben.startCall()
  await connected(ben)
  await anna.sees('join-call')

  // Ben is taken out of it: coming back is offered, until calls are off.
  await ben.page.evaluate(() => window.callsClient.abandon({ code: 'moved', reason: '' }))
  await ben.sees('rejoin-call')
  await anna.sees('start-call')
  await allow(false)
  for (const person of [anna, ben]) {
    await person.sees('calls-off')
    assert.equal(await person.page.locator('[data-testid="start-call"], [data-testid="join-call"], [data-testid="join-call-post"], [data-testid="rejoin-call"]').count(), 0, person.username)
  }
  await anna.page.goto(`${url}/main/channels/${id}?join_call=true`)
  await anna.sees('composer')
  await allow(true)
  await ben.sees('start-call')
})

/** Counts the page's own sounds from now on. */
function countTones({ page }) {
  return page.evaluate(() => {
    window.tones = 0
    const start = OscillatorNode.prototype.start
    OscillatorNode.prototype.start = function (...args) {
      window.tones += 1
      return start.apply(this, args)
    }
  })
}

function tones({ page }) {
  return page.evaluate(() => window.tones)
}

function connected(person) {
  return person.page.locator('[data-testid="connection-status"][data-state="connected"]').waitFor()
}

function told(person, words) {
  return until(`${person.username} is told ${words}`, async () => {
    const notes = await person.page.locator('[data-testid="call-note"][data-kind="device"]').allTextContents()
    return notes.some((note) => words.test(note.trim())) || new Miss(notes)
  })
}

function escape(text) {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
