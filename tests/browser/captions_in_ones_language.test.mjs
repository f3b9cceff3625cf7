// Captions in the language of who reads them: the server asks a language model of the operator's network,
// which here answers in capitals; nobody else's captions change, and nothing is sent before somebody asks.

import assert from 'node:assert/strict'
import http from 'node:http'

import { firstSound } from './harness/listen.mjs'
import { conversation } from './harness/speech.mjs'
import { story } from './harness/story.mjs'
import { Miss, until } from './harness/until.mjs'

const [ANNA, BEN] = [0, 1]
const SPEECH_RMS = 0.005

/** An endpoint as language models have it; keeps what it was sent. */
async function capitals() {
  const asked = []
  const server = http.createServer((request, answer) => {
    let body = ''
    request.on('data', (piece) => { body += piece })
    request.on('end', () => {
      const { messages } = JSON.parse(body)
      asked.push(messages[1].content)
      answer.setHeader('content-type', 'application/json')
      answer.end(JSON.stringify({ choices: [{ message: { role: 'assistant', content: messages[1].content.toUpperCase() } }] }))
    })
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { asked, origin: `http://127.0.0.1:${server.address().port}`, close: () => server.close() }
}

story('captions_in_ones_language', 'who wants captions in another language reads them in it, and nobody else does', async (stage) => {
  const model = await capitals()
  try {
    await stage.serve({ env: { TEXT_ENDPOINT: `${model.origin}/v1`, TEXT_ALLOWEDENDPOINTS: model.origin, TEXT_ENDPOINTMODEL: 'small' } })
    const [speech] = conversation(stage.scratch)
    const anna = await stage.person(ANNA, { microphone: speech.file })
    const ben = await stage.person(BEN)
    await anna.startCall()
    await ben.joinCall()
    await anna.at('record-start').click()
    for (const person of [anna, ben]) {
      await person.sees('recording-notice', { ms: 60_000 })
      await person.at('recording-understood').click()
    }
    await Promise.all([firstSound(ben.page, SPEECH_RMS), anna.unmute()])
    for (const person of [anna, ben]) {
      await person.sees('captions-history', { ms: 30_000 })
      await person.at('captions-history').click()
      await person.sees('caption-read-in', { ms: 30_000 })
    }
    assert.deepEqual(model.asked, [], 'nobody asked for another language')

    await ben.at('caption-read-in').selectOption('de')
    const line = await until('a line in the language that was wished', async () => {
      const lines = await ben.page.locator('[data-testid="caption-line"]').evaluateAll((all) => all.map((one) => ({
        said: one.querySelector('span[dir]:not([data-testid])')?.textContent ?? '', read: one.querySelector('[data-testid="caption-line-translated"]')?.textContent ?? '',
      })))
      return lines.find(({ read }) => read !== '') ?? new Miss(lines)
    }, { ms: 60_000 })
    assert.equal(line.read, line.said.toUpperCase())
    assert.equal(await anna.page.locator('[data-testid="caption-line-translated"]').count(), 0, 'Anna reads what was said')
    assert.ok(model.asked.length > 0)
  } finally {
    model.close()
  }
})
