// A person at a browser: an own Chromium or Firefox with an own microphone, and the verbs of the web
// client.
//
// Every person needs a whole browser: what the fake microphone plays is set per process. The names used here are the `data-testid`s listed in signalling/web/README.md.

import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

import { chromium } from 'playwright-core'

import { giveScreen, launchFirefox } from './firefox.mjs'
import { equip, wear } from './listen.mjs'
import { writeSilence } from './tones.mjs'
import { Miss, until } from './until.mjs'

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium'
const FLAGS = [
  '--no-sandbox', // containers and root
  '--autoplay-policy=no-user-gesture-required',
  '--use-fake-device-for-media-stream',
  '--auto-accept-this-tab-capture',
  '--disable-dev-shm-usage',
  // A covered or hidden page would be slowed down; each person has one page, and it is in use.
  '--disable-background-timer-throttling',
  '--disable-renderer-backgrounding',
]
/** What the page may say on its console without the story failing: the browser's own notes. */
const HARMLESS = [/favicon/, /Download the React DevTools/, /status of 401/]

/** Starts a Chromium whose microphone plays `microphone` (add `%noloop` to play it once). */
export async function launchChromium(microphone) {
  if (!fs.existsSync(CHROMIUM)) throw new Error(`\`${CHROMIUM}\` does not exist: install Debian's chromium, or set CHROMIUM`)
  const args = [...FLAGS, `--use-file-for-fake-audio-capture=${microphone}`]
  return chromium.launch({ executablePath: CHROMIUM, headless: true, args })
}

/** What plays once begins when the microphone is opened: that is then the first unmute, and nothing before. */
function keepMicrophoneShut() {
  const key = 'parley.call-settings'
  if (!localStorage.getItem(key)) localStorage.setItem(key, JSON.stringify({ hearMuted: false }))
}

export class Person {
  /**
   * Opens the product's page.
   *
   * @param {string} url address of the product
   * @param {{username: string, password: string}} account
   * @param {{microphone?: string, hz?: number, firefox?: boolean, browser?: import('playwright-core').Browser, viewport?: {width: number, height: number}, colourScheme?: 'light'|'dark', locale?: string}} [with_]
   *   `microphone` is a 48 kHz WAV file; without it the person is silent. With `firefox` the
   *   microphone is the tone `hz` instead. With `browser` the person is one of several in that one, all of whom
   *   have its microphone, and opens it with the first unmute; nothing moves on their pages, which costs most.
   */
  static async open(url, account, look = {}) {
    const person = new Person(account)
    try {
      await person.#start(url, look)
    } catch (error) {
      await person.close()
      throw error
    }
    return person
  }

  async #start(url, { microphone, hz, firefox = false, browser, viewport, colourScheme, locale }) {
    this.home = fs.mkdtempSync(path.join(os.tmpdir(), `person-${this.username}-`))
    this.isGuest = browser !== undefined
    this.browser = browser ?? (firefox ? await launchFirefox({ hz, home: this.home }) : await launchChromium(microphone ?? writeSilence(this.home)))
    this.context = await this.browser.newContext({
      permissions: firefox ? [] : ['microphone', 'camera'], // Firefox grants them by its preferences
      viewport: viewport ?? { width: 1280, height: 720 },
      colorScheme: colourScheme ?? 'light',
      ignoreHTTPSErrors: true, // stories with TLS make their own certificate
      ...(locale ? { locale } : {}),
      ...(this.isGuest ? { reducedMotion: 'reduce' } : {}),
    })
    await equip(this.context)
    if (this.isGuest || microphone?.endsWith('%noloop')) await this.context.addInitScript(keepMicrophoneShut)
    if (firefox) await giveScreen(this.context)
    this.page = await this.context.newPage()
    this.page.on('pageerror', (error) => this.troubles.push(`uncaught: ${error.message}`))
    this.page.on('console', (message) => {
      if (message.type() === 'error' && !HARMLESS.some((known) => known.test(message.text()))) this.troubles.push(message.text())
    })
    await this.page.goto(url)
  }

  constructor(account) {
    this.account = account
    this.username = account.username
    /** Errors of the page: uncaught exceptions and console errors. */
    this.troubles = []
  }

  /** The element with a `data-testid`. */
  at(testId) {
    return this.page.locator(`[data-testid="${testId}"]`).first()
  }

  /** Waits until an element is shown (or, with `shown: false`, gone). */
  async sees(testId, { shown = true, ms = 15_000 } = {}) {
    await this.at(testId).waitFor({ state: shown ? 'visible' : 'hidden', timeout: ms })
  }

  async signIn() {
    await this.at('login-id').fill(this.username)
    await this.at('password').fill(this.account.password)
    await this.at('sign-in').click()
  }

  async enter(channel) {
    await this.at(`channel-${channel}`).click()
  }

  /** Opens the direct message with another sample account. */
  async writeTo(username) {
    await this.at('new-direct').click()
    await this.at('find-person').fill(username)
    await this.at(`person-${username}`).click()
    await this.at('new-direct').waitFor()
    await this.sees(`channel-${username}`)
  }

  async startCall() {
    await this.at('start-call').click()
    await this.sees('leave-call')
  }

  /** Joins the channel's call; returns when the button was pressed, in epoch ms. */
  async joinCall() {
    await this.sees('join-call')
    const pressedAt = Date.now()
    await this.at('join-call').click()
    await this.sees('leave-call')
    return pressedAt
  }

  /** Starts the channel's call, or joins the one that runs. */
  async enterCall() {
    const either = this.page.locator('[data-testid="start-call"], [data-testid="join-call"]').first()
    await either.click()
    await this.sees('leave-call')
  }

  async leaveCall() {
    await this.at('leave-call').click()
    await this.sees('leave-call', { shown: false })
  }

  /** True when the own microphone is shown as muted. */
  async isMuted() {
    return (await this.at('mute').getAttribute('data-muted')) === 'true'
  }

  async mute() {
    await this.#setMuted(true)
  }

  async unmute() {
    await this.#setMuted(false)
  }

  async #setMuted(wanted) {
    await this.sees('mute')
    if ((await this.isMuted()) !== wanted) await this.at('mute').click()
    await until(`${this.username} is ${wanted ? 'muted' : 'unmuted'}`, async () => {
      if ((await this.isMuted()) === wanted) return true
      return new Miss({ microphone: await this.at('mute').getAttribute('title'), told: await this.page.locator('.stage .notice').allTextContents() })
    })
  }

  async raiseHand() {
    await this.at('raise-hand').click()
  }

  /** Shares this very tab, covered with four colours. */
  async shareScreen(colours) {
    await wear(this.page, colours)
    await this.at('share-screen').click()
    await this.sees('stop-share')
  }

  async stopSharing() {
    await this.at('stop-share').click()
    await this.sees('stop-share', { shown: false })
    await wear(this.page, [])
  }

  /** Opens the thread of the channel's newest call; the call may be over. */
  async openThread() {
    const ways = this.page.locator('[data-testid="call-thread"], [data-testid="open-recording"], [data-testid="open-thread"]')
    await ways.last().click()
    await this.sees('thread-panel')
  }

  /** Sends a reaction, by its name in the list that the button opens. */
  async react(name) {
    await this.at('react').click()
    await this.at(`react-${name}`).click()
  }

  /** Waits until another person is (or is no longer) in the list of participants. */
  async seesParticipant(username, { shown = true, ms = 15_000 } = {}) {
    await this.sees(`participant-${username}`, { shown, ms })
  }

  /** The text of a participant's entry, as a screen reader would get it: text and labels. */
  async describes(username) {
    return this.at(`participant-${username}`).evaluate((entry) => {
      const labels = [...entry.querySelectorAll('[aria-label], [title], img[alt]')]
        .map((part) => part.getAttribute('aria-label') ?? part.getAttribute('title') ?? part.getAttribute('alt'))
      return [entry.getAttribute('aria-label') ?? '', entry.textContent, ...labels].join(' ').toLowerCase()
    })
  }

  /** Closes the browser. A picture of the last state is kept when the story failed. */
  async close({ picture } = {}) {
    if (picture) await this.page?.screenshot({ path: picture }).catch(() => {})
    await (this.isGuest ? this.context : this.browser)?.close().catch(() => {})
    // A helper process of the browser may write for a moment after the browser has ended.
    if (this.home) fs.rmSync(this.home, { recursive: true, force: true, maxRetries: 5 })
  }
}
