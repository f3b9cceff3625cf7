// Opens the older client of pages/older_client.js in a browser, on the product's own origin.

import path from 'node:path'
import { fileURLToPath } from 'node:url'

import { build } from 'esbuild'

import { equip } from './listen.mjs'
import { launchChromium } from './person.mjs'

const PAGES = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', 'pages')
/** An address below the product's origin that the product does not serve. */
const ADDRESS = '/older-client-under-test'

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
  await page.route(`**${ADDRESS}`, (route) => route.fulfill({
    contentType: 'text/html',
    body: '<!doctype html><meta charset="utf-8"><title>older client</title>',
  }))
  await page.goto(url + ADDRESS)
  await page.addScriptTag({ content: script })
  return { browser, page }
}
