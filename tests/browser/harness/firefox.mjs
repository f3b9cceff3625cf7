// Debian's Firefox as a person's browser, driven over WebDriver BiDi by the same playwright-core.
//
// Its microphone is a tone that Firefox makes itself: it takes no file. It has no screen while it is
// headless: pages/canvas_screen.js gives it one. In: the tone. Out: a browser like Chromium's.

import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

import { firefox } from 'playwright-core'

const FIREFOX = process.env.FIREFOX ?? '/usr/bin/firefox-esr'
const CANVAS_SCREEN = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', 'pages', 'canvas_screen.js')
/** On a busy machine Firefox now and then hangs before it opens its port: it is started again. */
const START_WITHIN_MS = 20_000
const STARTS = 3
const PREFERENCES = {
  'media.navigator.streams.fake': true,
  'media.navigator.permission.disabled': true,
  'media.autoplay.default': 0,
  'media.autoplay.blocking_policy': 0,
  // Without a sound card Web Audio would never start; this one plays to nowhere.
  'media.cubeb.force_mock_context': true,
  // Both ends are on this machine. Without the permission Firefox would offer one address only, and
  // never the loopback, until it records.
  'permissions.default.microphone': 1,
  'media.peerconnection.ice.loopback': true,
  'media.peerconnection.ice.obfuscate_host_addresses': false,
  // Nothing is fetched from outside while a story runs.
  'media.gmp-manager.updateEnabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
}

/**
 * Starts a Firefox whose microphone is a steady tone.
 *
 * @param {{hz: number, home: string}} person `home` is a directory that is deleted after the story
 */
export async function launchFirefox({ hz, home }) {
  if (!fs.existsSync(FIREFOX)) throw new Error(`\`${FIREFOX}\` does not exist: install Debian's firefox-esr, or set FIREFOX`)
  if (!Number.isInteger(hz)) throw new RangeError(`microphone of Firefox \`${hz}\`: must be a tone in whole Hz (\`hz\`), Firefox takes no file`)
  const options = {
    channel: 'moz-firefox', // the name by which playwright-core knows an unpatched Firefox
    executablePath: FIREFOX,
    headless: true,
    timeout: START_WITHIN_MS,
    env: { ...process.env, HOME: home },
    firefoxUserPrefs: { ...PREFERENCES, 'media.navigator.audio.fake_frequency': hz },
  }
  for (let left = STARTS - 1; ; left -= 1) {
    try {
      return await firefox.launch(options)
    } catch (error) {
      if (left === 0) throw error
      console.error(`${FIREFOX} is started again: ${error.message.split('\n')[0]}`)
    }
  }
}

/** Gives every page that the context opens from now on a screen to share. */
export async function giveScreen(context) {
  await context.addInitScript({ path: CANVAS_SCREEN })
}
