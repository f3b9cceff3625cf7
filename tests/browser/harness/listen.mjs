// What a person hears and sees, as measured in the page by pages/ears.js.
//
// In: a page that `equip` has prepared. Out: figures, or an error that says what was heard instead.

import path from 'node:path'
import { fileURLToPath } from 'node:url'

import { Miss, until } from './until.mjs'

const EARS = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', 'pages', 'ears.js')

/** How far the measured frequency may be from the tone played, in Hz. */
const PITCH_TOLERANCE = 12
/** RMS of a tone at peak 0.4 is 0.28; Opus and the jitter buffer keep most of it. */
const HEARD_RMS = 0.03
/** What is left on a muted or ended track: comfort noise at most. */
const SILENT_RMS = 0.003

/** Equips every page that the context opens from now on. */
export async function equip(context) {
  await context.addInitScript({ path: EARS })
}

/** All remote audio tracks of the page: `[{track, streamId, state, rms, hz}]` over 300 ms. */
export function hear(page) {
  return page.evaluate(() => window.ears.hear())
}

/** Waits until the page hears the tone and returns `{hz, rms, ...}` as measured. */
export function hearsTone(page, hz, { ms = 15_000, who = 'the page' } = {}) {
  return until(`${who} hears ${hz} Hz`, async () => {
    const voices = await hear(page)
    return voices.find((voice) => carries(voice, hz)) ?? new Miss(brief(voices))
  }, { ms })
}

/** Waits until no track of the page carries the tone any more; returns the loudest RMS left at it. */
export async function hearsNoTone(page, hz, { ms = 15_000, who = 'the page' } = {}) {
  let left = 0
  await until(`${who} no longer hears ${hz} Hz`, async () => {
    const voices = await hear(page)
    const still = voices.filter((voice) => near(voice.hz, hz) && voice.rms > SILENT_RMS)
    left = Math.max(0, ...voices.filter((voice) => near(voice.hz, hz)).map((voice) => voice.rms))
    return still.length === 0 ? true : new Miss(brief(voices))
  }, { ms })
  return left
}

/**
 * Waits for the tone inside the page, looking every 10 ms; returns the instant in epoch ms.
 * Only tracks that came after `since` (epoch ms) count.
 */
export async function firstHeard(page, hz, { since = 0, ms = 15_000 } = {}) {
  const at = await page.evaluate(([tone, limit, from]) => window.ears.firstHeard(tone, limit, from), [hz, ms, since])
  if (at === undefined) {
    throw new Error(`${hz} Hz was not heard within ${ms} ms; heard: ${JSON.stringify(brief(await hear(page)))}`)
  }
  return at
}

/** Waits inside the page for any sound above `threshold` (RMS); returns the instant in epoch ms. */
export async function firstSound(page, threshold, ms = 30_000) {
  const at = await page.evaluate(([level, limit]) => window.ears.firstSound(level, limit), [threshold, ms])
  if (at === undefined) throw new Error(`no sound above RMS ${threshold} within ${ms} ms; heard: ${JSON.stringify(brief(await hear(page)))}`)
  return at
}

/** Follows a tone for `ms`: `{looks, found, longestGapMs}`. */
export function follow(page, hz, ms) {
  return page.evaluate(([tone, span]) => window.ears.follow(tone, span), [hz, ms])
}

/** Notes from now on when these tones are not heard; `watched` tells. */
export function watch(page, tones) {
  return page.evaluate((all) => window.ears.watch(all), tones)
}

/** What the page noted of each tone: `{hz: {gaps: [[from, until]], lastHeard, isAway}}`, in epoch ms. */
export function watched(page) {
  return page.evaluate(() => window.ears.watched())
}

/** Covers the sharer's page with four colours, clockwise from the top left read as rows. */
export function wear(page, colours) {
  return page.evaluate((names) => window.ears.wear(names), colours)
}

/** Waits until the decoded frames of `selector` show the four colours; returns the frame's figures. */
export function seesColours(page, selector, colours, { ms = 20_000, who = 'the viewer' } = {}) {
  return until(`${who} sees ${colours.join(' ')} in ${selector}`, async () => {
    const frame = await page.evaluate((where) => window.ears.look(where), selector)
    return frame && frame.colours.join() === colours.join() ? frame : new Miss(frame ?? 'no frame')
  }, { ms, every: 200 })
}

/** Peer connections of the page: state and connect time. */
export function peers(page) {
  return page.evaluate(() => window.ears.peers())
}

/** Begins ICE again and waits until it has been negotiated. */
export async function restartIce(page, who) {
  const before = await page.evaluate(() => window.ears.iceName())
  await page.evaluate(() => window.ears.restartIce())
  await until(`${who} negotiates ICE again`, async () => {
    const now = await page.evaluate(() => window.ears.iceName())
    return now && now !== before ? true : new Miss(now)
  })
}

/** Counters of the newest peer connection by kind and direction, and what the server reported. */
export function counters(page) {
  return page.evaluate(() => window.ears.counters())
}

function near(measured, hz) {
  return Math.abs(measured - hz) <= PITCH_TOLERANCE
}

function carries(voice, hz) {
  return voice.state === 'live' && near(voice.hz, hz) && voice.rms > HEARD_RMS
}

function brief(voices) {
  return voices.map(({ hz, rms, state }) => `${Math.round(hz)} Hz at ${rms.toFixed(4)} (${state})`)
}
