// Watches the live captions that a person sees, with the time of each change.

import { hear } from './listen.mjs'
import { Miss, until } from './until.mjs'
import { words } from './wer.mjs'

const LOOK_EVERY_MS = 100
/** How long after the last word captions may take to show it. */
const SETTLE_WITHIN_MS = 12_000

export class CaptionWatch {
  /** @param {import('./person.mjs').Person} person the one who reads */
  constructor(person) {
    this.person = person
    /** Each change: `{at, name, text}`, `at` in epoch ms, `name` of the speaker. */
    this.seen = []
    this.running = true
    this.done = this.#watch()
  }

  async #watch() {
    while (this.running) {
      const { name, text } = await this.person.page.evaluate(() => {
        const lines = [...document.querySelectorAll('[data-testid="caption"]')]
        const part = (query) => lines.map((line) => line.querySelector(query)?.textContent.trim() ?? '').join(' ')
        return { name: part('strong'), text: part('span') }
      }).catch(() => ({ text: '' })) // the page may be on its way elsewhere
      if (text && text !== this.seen.at(-1)?.text) this.seen.push({ at: Date.now(), name, text })
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
    }
  }

  /** Waits until the reader hears something, and returns when, in epoch ms. */
  hearsSpeech(threshold) {
    return until(`${this.person.username} hears speech`, async () => {
      const voices = await hear(this.person.page)
      return voices.some(({ rms }) => rms > threshold) ? Date.now() : new Miss(voices)
    }, { ms: 30_000, every: 20 })
  }

  /** Waits until the last word of the text, or one of the two before it, has been shown. */
  settles(text) {
    const ends = words(text).slice(-3)
    return until(`captions show the end, \`${ends.join(' ')}\``, () => {
      const shown = words(this.seen.at(-1)?.text ?? '')
      return ends.some((word) => shown.slice(-6).includes(word)) ? true : new Miss(this.seen.at(-1)?.text)
    }, { ms: SETTLE_WITHIN_MS })
  }

  /** Ends the watch and returns the changes. */
  async stop() {
    this.running = false
    await this.done
    return this.seen
  }
}
