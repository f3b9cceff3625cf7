// The small proof that calls work here: two headless browsers join a call and hear each other.
//
// `node check.mjs READY_FILE [--channel NAME] [--joins N]`, where READY_FILE is what `parley run
// --ready-file` wrote, or `node check.mjs --url URL --account NAME:PASSWORD --account NAME:PASSWORD ..`
// Prints one line with the verdict and figures; exit code 0 when media flows both ways, 1 when not,
// 2 when the arguments are wrong. With `--joins N` the second person leaves and joins N times, and
// the line ends with the p50 and p95 of the time from the press on "join" to the first sound.

import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

import { firstHeard, hearsTone, peers } from './harness/listen.mjs'
import { Person } from './harness/person.mjs'
import { CHANNEL } from './harness/channel.mjs'
import { TONES, writeTone } from './harness/tones.mjs'

function usage(problem) {
  console.error(`${problem}\nusage: node check.mjs (READY_FILE | --url URL --account NAME:PASSWORD --account NAME:PASSWORD) [--channel NAME] [--joins N]`)
  process.exit(2)
}

function options(args) {
  const found = { accounts: [], channel: CHANNEL, joins: 1 }
  const readyFile = args[0]?.startsWith('--') ? undefined : args[0]
  if (readyFile) {
    const { url, accounts } = JSON.parse(fs.readFileSync(readyFile, 'utf8'))
    Object.assign(found, { url: url.replace(/\/$/, ''), accounts: accounts.slice(0, 2) })
  }
  for (let at = readyFile ? 1 : 0; at < args.length; at += 2) {
    const [name, value] = [args[at], args[at + 1]]
    if (value === undefined) usage(`\`${name}\` needs a value`)
    if (name === '--url') found.url = value.replace(/\/$/, '')
    else if (name === '--channel') found.channel = value
    else if (name === '--joins') found.joins = Number(value)
    else if (name === '--account' && value.includes(':')) {
      const [username, ...password] = value.split(':')
      found.accounts.push({ username, password: password.join(':') })
    } else usage(`\`${name} ${value}\` is not understood`)
  }
  if (!found.url || found.accounts.length !== 2) usage('one --url and two --account are needed')
  if (!Number.isInteger(found.joins) || found.joins < 1) usage('--joins needs a whole number from 1')
  return found
}

function percentile(sorted, share) {
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)]
}

async function check({ url, accounts, channel, joins }, scratch, people) {
  const tones = [TONES.first, TONES.second]
  for (const [index, account] of accounts.entries()) {
    const person = await Person.open(url, account, { microphone: writeTone(scratch, tones[index]) })
    people.push(person)
    await person.signIn()
    await person.enter(channel)
  }
  const [first, second] = people
  await first.enterCall()
  await first.unmute()
  const times = []
  for (let round = 0; round < joins; round += 1) {
    if (round > 0) await second.leaveCall()
    const pressedAt = await second.joinCall()
    times.push((await firstHeard(second.page, tones[0], { since: pressedAt })) - pressedAt)
  }
  const connectMs = (await peers(second.page)).at(-1).connectMs
  await second.unmute()
  const back = await hearsTone(first.page, tones[1], { who: first.username })
  const forth = await hearsTone(second.page, tones[0], { who: second.username })
  for (const person of people) await person.leaveCall()
  const sound = [forth, back].map(({ hz, rms }) => `${hz.toFixed(0)} Hz at RMS ${rms.toFixed(2)}`).join(' and ')
  times.sort((a, b) => a - b)
  const joined = joins === 1 ? `first sound ${times[0]} ms after join` : `join to first sound p50 ${percentile(times, 0.5)} ms, p95 ${percentile(times, 0.95)} ms of ${joins}`
  return `two browsers hear each other (${sound}; connected in ${connectMs} ms, ${joined})`
}

const wish = options(process.argv.slice(2))
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'parley-check-'))
const people = []
let verdict
try {
  verdict = { code: 0, text: `ok: ${await check(wish, scratch, people)}` }
} catch (error) {
  verdict = { code: 1, text: `FAILED: ${error.message.split('\n')[0]}` }
}
for (const person of people) await person.close()
fs.rmSync(scratch, { recursive: true, force: true })
console.log(verdict.text)
process.exit(verdict.code)
