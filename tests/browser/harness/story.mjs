// A story: one server, some people, and the care that nothing is left running.
//
// `story(name, async (stage) => ..)` is a `node:test` test. Whatever happens inside, browsers are
// closed and the server is stopped; when it fails, log and pictures are kept under target/.

import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import test from 'node:test'

import { CHANNEL } from './channel.mjs'
import { Person } from './person.mjs'
import { ROOT, Server } from './server.mjs'
import { writeTone } from './tones.mjs'

export { CHANNEL }

const STORY_LIMIT_MS = 180_000
const PICTURES = path.join(ROOT, 'target', 'browser-pictures')

class Stage {
  constructor(slug, say) {
    this.slug = slug
    this.say = say
    this.people = []
    this.scratch = fs.mkdtempSync(path.join(os.tmpdir(), `story-${slug}-`))
  }

  async serve(options) {
    this.server = await Server.start(this.slug, options)
    return this.server
  }

  /** Opens a browser for the sample account number `index`, signs in and enters the channel. */
  async person(index, { hz, microphone, channel = CHANNEL, ...look } = {}) {
    const person = await this.stranger(index, { hz, microphone, ...look })
    await person.signIn()
    await person.enter(channel)
    return person
  }

  /** Opens a browser for the sample account number `index` at the sign-in page. */
  async stranger(index, { hz, microphone, ...look } = {}) {
    const account = this.server.accounts[index]
    if (!account) throw new Error(`sample account ${index}: the server has only ${this.server.accounts.length}`)
    const sound = microphone ?? (hz ? writeTone(this.scratch, hz) : undefined)
    const person = await Person.open(this.server.url, account, { microphone: sound, hz, ...look })
    this.people.push(person)
    return person
  }

  async close(failed) {
    if (failed) fs.mkdirSync(PICTURES, { recursive: true })
    for (const person of this.people) {
      if (failed && person.troubles.length > 0) this.say(`${person.username}'s page said: ${person.troubles.slice(0, 8).join(' | ')}`)
      await person.close({ picture: failed ? path.join(PICTURES, `${this.slug}-${person.username}.png`) : undefined })
    }
    await this.server?.stop({ failed })
    fs.rmSync(this.scratch, { recursive: true, force: true })
  }
}

/**
 * Declares a story.
 *
 * @param {string} slug names logs and pictures
 * @param {string} sentence what is true when it passes
 * @param {(stage: Stage) => Promise<void>} tell
 * @param {{ms?: number}} [limits]
 */
export function story(slug, sentence, tell, { ms = STORY_LIMIT_MS } = {}) {
  test(sentence, { timeout: ms }, async (context) => {
    const stage = new Stage(slug, (text) => context.diagnostic(text))
    let failed = true
    try {
      // The limit is kept here as well: node:test would end the test without closing what it opened.
      let timer
      const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`the story took longer than ${ms / 1000} s`)), ms - 20_000)
      })
      await Promise.race([tell(stage), late]).finally(() => clearTimeout(timer))
      failed = false
    } finally {
      await stage.close(failed)
    }
  })
}
