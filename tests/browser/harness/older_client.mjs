// Opens the older client of pages/older_client.js in a browser, on the product's own origin.

import path from 'node:path'
import { fileURLToPath } from 'node:url'

import { build } from 'esbuild'

import { equip } from './listen.mjs'
import { launchChromium } from './person.mjs'

const PAGES = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', 'pages')
/** A bare page of the product's origin; the older client is put into it. */
const ADDRESS = '/api/v4/system/ping'

async function bundle() {
  const { outputFiles } = await build({
    entryPoints: [path.join(PAGES, 'older_client.js')],
    bundle: true,
    write: false,
    format: 'iife',
    platform: 'browser',
    logLevel: 'warning',
  })
  return outputFiles[0].text
}

/** Starts a browser with the older client's page; the caller closes `browser`. */
export async function openOlderClient(url, microphone) {
  const script = await bundle()
  const browser = await launchChromium(microphone)
  const context = await browser.newContext({ permissions: ['microphone'] })
  await equip(context)
  const page = await context.newPage()
  await page.goto(url + ADDRESS)
  await page.evaluate(script)
  return { browser, page }
}
