// An older client keeps working: calls-common 0.27.2 from npm, with signalling over the WebSocket
// only and a text ping on the data channel, beside today's web client.

import assert from 'node:assert/strict'

import { hearsNoTone, hearsTone } from './harness/listen.mjs'
import { openOlderClient } from './harness/older_client.mjs'
import { Rest } from './harness/rest.mjs'
import { CHANNEL, story } from './harness/story.mjs'
import { TONES, writeTone } from './harness/tones.mjs'
import { Miss, until } from './harness/until.mjs'

const [ANNA, BEN] = [0, 1]

story('older_client', 'the npm build of calls-common 0.27.2 joins the call, hears the others and is heard', async (stage) => {
  await stage.serve()
  const anna = await stage.person(ANNA, { hz: TONES.first })
  await anna.startCall()
  await anna.unmute()

  const rest = await Rest.signIn(stage.server.url, stage.server.accounts[BEN])
  const channel = await rest.channel(CHANNEL)
  const older = await openOlderClient(stage.server.url, writeTone(stage.scratch, TONES.second))
  try {
    await older.page.evaluate(([id, token]) => window.older.join(id, token), [channel.id, rest.token])
    await until('the older client is connected', async () => {
      const { connected, errors, frames } = await older.page.evaluate(() => window.older)
      return connected ? true : new Miss({ errors, events: frames.map(({ event, status }) => event ?? status) })
    })
    await hearsTone(older.page, TONES.first, { who: 'the older client' })
    await until('a text ping was answered by a text pong', () => older.page.evaluate(() => window.older.textPongs > 1))

    await older.page.evaluate(() => window.older.unmute())
    await hearsTone(anna.page, TONES.second, { who: 'anna' })
    await anna.seesParticipant(stage.server.accounts[BEN].username)

    // Its view of the others follows: mute arrives as an event and as silence.
    await anna.mute()
    await hearsNoTone(older.page, TONES.first, { who: 'the older client' })
    const events = await older.page.evaluate(() => window.older.frames.map(({ event }) => event))
    for (const name of ['join', 'user_joined', 'call_state', 'user_muted']) {
      assert.ok(events.includes(`custom_com.mattermost.calls_${name}`), `no ${name} among ${events.join(' ')}`)
    }
    assert.deepEqual(await older.page.evaluate(() => window.older.errors), [])

    await older.page.evaluate(() => window.older.leave())
    await anna.seesParticipant(stage.server.accounts[BEN].username, { shown: false })
  } finally {
    await older.browser.close()
  }
})
