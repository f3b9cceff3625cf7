// Watches the live captions that a person sees, with the time of each change.

import { until } from './until.mjs'
import { words } from './wer.mjs'

const LOOK_EVERY_MS = 100
/** How long is waited for captions of the last words. */
const SETTLE_WITHIN_MS = 6_000

export class CaptionWatch {
  /**
   * @param {import('./person.mjs').Person} person the one who reads
   * @param {string} speaker whose captions are watched, as shown
   */
  constructor(person, speaker) {
    this.person = person
    this.speaker = speaker
    /** Each change of the speaker's line: `{at, text}`, `at` in epoch ms. */
    this.seen = []
    /** Everybody to whom words were attributed meanwhile. */
    this.names = new Set()
    this.running = true
    this.done = this.#watch()
  }

  async #watch() {
    while (this.running) {
      const lines = await this.person.page.evaluate(() => [...document.querySelectorAll('[data-testid="caption"]')]
        .map((line) => ({ name: line.querySelector('strong').textContent, text: line.querySelector('span, em').textContent.trim() })))
        .catch(() => []) // the page may be on its way elsewhere
      for (const { name } of lines) this.names.add(name)
      const text = lines.find(({ name }) => name === this.speaker)?.text
      if (text && text !== this.seen.at(-1)?.text) this.seen.push({ at: Date.now(), text })
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
    }
  }

  /**
   * When the end of a sentence was first shown, in epoch ms; undefined when it never was.
   *
   * @param {string} sentence its last two words are looked for
   * @param {number} after epoch ms: the sentence had begun
   */
  shownAt(sentence, after) {
    const end = words(sentence).slice(-2).join(' ')
    return this.seen.find(({ at, text }) => at >= after && ` ${words(text).join(' ')} `.includes(` ${end} `))?.at
  }

  /** Waits until the end of the last sentence is shown; gives up silently: not every word is understood. */
  async settles(sentence, after) {
    await until('captions show the end', () => this.shownAt(sentence, after), { ms: SETTLE_WITHIN_MS }).catch(() => {})
  }

  /** Ends the watch and returns the changes. */
  async stop() {
    this.running = false
    await this.done
    return this.seen
  }
}
