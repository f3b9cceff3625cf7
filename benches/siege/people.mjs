// The people of the siege: two with browsers of their own, Chromium and Firefox, and the others as people of
// one further Chromium. Three speak, each with a tone; all listen. The third is the last who comes, and so at
// another media node than the two.
//
// In: a cluster with their accounts. Out: who is in the call, at which media node, and what each page noted.

import { CHANNEL } from '../../tests/browser/harness/channel.mjs'
import { hearsTone, watch } from '../../tests/browser/harness/listen.mjs'
import { launchChromium, Person } from '../../tests/browser/harness/person.mjs'
import { TONES, writeTone } from '../../tests/browser/harness/tones.mjs'

/** A page that says nothing for so long is passed over: the others are not kept waiting. */
const LOOK_WITHIN_MS = 10_000
const BACK_WITHIN_MS = 15_000
/** Until the last message is on a page that was away a moment ago. */
const SHOWN_WITHIN_MS = 20_000

/** Runs in the page. A connection that goes away at this moment may never tell its statistics. */
async function stateOfPage() {
  const at = (testId) => document.querySelector(`[data-testid="${testId}"]`)
  const soon = new Promise((resolve) => { setTimeout(resolve, 2_000) })
  return {
    inCall: at('leave-call') !== null,
    ending: at('call-ending')?.dataset.code ?? (at('login-id') ? 'signed out' : undefined),
    port: await Promise.race([window.ears.serverPort(), soon]),
    noted: window.ears.watched(),
  }
}

function within(ms, promise) {
  const late = new Promise((_, reject) => { setTimeout(() => reject(new Error(`not within ${ms} ms`)), ms).unref() })
  return Promise.race([promise, late])
}

export class People {
  constructor(cluster, scratch, say) {
    Object.assign(this, { cluster, scratch, say, all: [] })
    /** Each time that somebody was found outside the call. */
    this.thrownOut = []
    this.speakers = new Map([[TONES.first, 'anna'], [TONES.second, 'ben'], [TONES.third, cluster.accounts.at(-1).username]])
    this.last = new Map()
  }

  get names() {
    return this.all.map(({ username }) => username)
  }

  /** All open the page, sign in and join; returns when everybody hears everybody who speaks. */
  async enter() {
    const { url, accounts } = this.cluster
    for (const [index, account] of accounts.entries()) {
      this.all.push(await Person.open(url, account, await this.#looks(index)))
      const person = this.all.at(-1)
      await person.signIn()
      await person.enter(CHANNEL)
      await (index === 0 ? person.startCall() : person.joinCall())
      if ([...this.speakers.values()].includes(account.username)) await person.unmute()
    }
    for (const person of this.all) {
      for (const [hz, speaker] of this.speakers) {
        if (speaker !== person.username) await hearsTone(person.page, hz, { who: person.username, ms: 30_000 })
      }
    }
  }

  async #looks(index) {
    if (index === 0) return { microphone: writeTone(this.scratch, TONES.first) }
    if (index === 1) return { firefox: true, hz: TONES.second }
    this.crowd ??= await launchChromium(writeTone(this.scratch, TONES.third))
    return { browser: this.crowd, viewport: { width: 1024, height: 700 } }
  }

  /** From now on every page notes what it does not hear. */
  async watch() {
    for (const { page, username } of this.all) {
      await watch(page, [...this.speakers].filter(([, speaker]) => speaker !== username).map(([hz]) => hz))
    }
  }

  /**
   * Looks at every page: `[{name, inCall, node, noted}]`. Whoever is found outside the call is noted, and comes in
   * again as a person would, by pressing the button.
   */
  async look({ andBringBack = true } = {}) {
    const nodes = new Map(['one', 'two', 'three'].map((node) => [this.cluster.running.get(node).media, node]))
    return Promise.all(this.all.map(async (person) => {
      const name = person.username
      const seen = await within(LOOK_WITHIN_MS, person.page.evaluate(stateOfPage)).catch((error) => ({ ...this.last.get(name), isStale: true, trouble: error.message }))
      const found = { name, ...seen, node: nodes.get(seen.port) }
      if (seen.isStale) this.say(`${name}'s page did not say how it is: ${seen.trouble.split('\n')[0]}`)
      else this.last.set(name, seen)
      if (!found.inCall) {
        this.thrownOut.push({ name, at: Date.now(), ending: found.ending ?? 'no reason shown' })
        this.say(`${name} is outside the call: ${found.ending ?? 'no reason shown'}`)
        if (andBringBack) await this.#bringBack(person)
      }
      return found
    }))
  }

  async #bringBack(person) {
    try {
      if (await person.at('login-id').isVisible()) {
        await person.signIn()
        await person.enter(CHANNEL)
      }
      await person.page.locator('[data-testid="rejoin-call"], [data-testid="join-call"], [data-testid="start-call"]').first().click({ timeout: BACK_WITHIN_MS })
      await person.sees('leave-call', { ms: BACK_WITHIN_MS })
      if ([...this.speakers.values()].includes(person.username)) await person.unmute()
    } catch (error) {
      this.say(`${person.username} does not come back: ${error.message.split('\n')[0]}`)
    }
  }

  /** Those on whose pages the text does not appear. */
  async withoutText(text) {
    const missing = await Promise.all(this.all.map(async ({ page, username }) => {
      const shown = await page.getByText(text, { exact: true }).first().waitFor({ timeout: SHOWN_WITHIN_MS }).then(() => true, () => false)
      return shown ? [] : [username]
    }))
    return missing.flat()
  }

  /** All leave the call; returns when the first one did, from which on less is heard. */
  async leave() {
    const began = Date.now()
    await Promise.all(this.all.map((person) => person.leaveCall().catch((error) => this.say(`${person.username} cannot leave: ${error.message.split('\n')[0]}`))))
    return began
  }

  async close() {
    for (const person of this.all) await person.close()
    await this.crowd?.close().catch(() => {})
  }
}
