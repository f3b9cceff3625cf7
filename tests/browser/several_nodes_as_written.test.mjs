// deploy/several-nodes.md, word for word: what an administrator types is typed, and two people use what comes up.
//
// The document says what is its reader's: the database, the ports, and the block for one machine.

import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

import { sessionsAt } from './harness/cluster.mjs'
import { hearsTone } from './harness/listen.mjs'
import { Person } from './harness/person.mjs'
import { free } from './harness/ports.mjs'
import { startPostgres } from './harness/postgres.mjs'
import { ROOT, ownEnvironment } from './harness/server.mjs'
import { CHANNEL, story } from './harness/story.mjs'
import { TONES, writeTone } from './harness/tones.mjs'
import { Miss, until } from './harness/until.mjs'
import { Walkthrough } from './harness/walkthrough.mjs'

const STORY = 'several_nodes_as_written'
const FILE = path.join(ROOT, 'deploy', 'several-nodes.md')
const LOGS = path.join(ROOT, 'target', 'browser-logs')
const BIN = path.dirname(process.env.PARLEY_BIN ?? path.join(ROOT, 'target', 'debug', 'parley'))
/** What ports end with, in the document's table. */
const ENDINGS = [22, 31, 32, 33, 34, 41, 42, 43, 44, 51, 52, 53, 54, 61, 62, 71, 72]
/** The first three: those that people are on before there is a fourth. */
const MEDIA = ['media1', 'media2', 'media3']
const HEARD_WITHIN_MS = 30_000
/** It takes less than one; nine processes and two browsers on a busy machine take their time. */
const LIMIT_MS = 300_000
const [ANNA, BEN] = [0, 1]

/** What all ports may begin with, so that nobody has any of them. */
async function freePorts() {
  for (let tries = 0; tries < 50; tries += 1) {
    const begin = 200 + Math.floor(Math.random() * 100)
    const found = await Promise.all(ENDINGS.map((ending) => free(Number(`${begin}${ending}`)).catch(() => undefined)))
    if (found.every((port) => port !== undefined)) return begin
  }
  throw new Error('no free ports')
}

/** The nodes of the document, on this machine. */
class Site {
  static async begin() {
    const site = new Site()
    try {
      site.database = await startPostgres(site.home)
      site.ports = await freePorts()
      site.url = `http://127.0.0.1:${site.ports}61`
    } catch (error) {
      await site.stop({ failed: true })
      throw error
    }
    const read = (expected) => site.#here(expected)
    site.walk = new Walkthrough({ file: FILE, home: site.home, env: site.env, read })
    return site
  }

  constructor() {
    this.home = fs.mkdtempSync(path.join(os.tmpdir(), `${STORY}-`))
    this.env = { ...ownEnvironment(), PATH: `${BIN}:${process.env.PATH}` }
    const added = fs.readFileSync(FILE, 'utf8').matchAll(/PARLEY_PASSWORD='([^']+)' parley .* people add (\w+)/g)
    this.accounts = [...added].map(([, password, username]) => ({ username, password }))
    /** The node that is drained; the document chooses `media2`. */
    this.drained = 'media2'
  }

  get alive() {
    return true
  }

  /** What the document says is printed, with the addresses of this machine. */
  #here(expected) {
    const chosen = expected.replace(/^media2(.* left)$/m, `${this.drained}$1`)
    return chosen.replaceAll('https://calls.example.org', this.url).replace(/10\.0\.0\.\d:80/g, `127.0.0.1:${this.ports}`)
  }

  /** Waits until the first three media nodes have so many sessions, in any order. */
  async hasSessions(wanted) {
    return until(`the media nodes have ${wanted} sessions`, async () => {
      const asked = MEDIA.map((node, index) => sessionsAt(`http://127.0.0.1:${this.ports}4${index + 1}`))
      const sessions = await Promise.all(asked)
      return sessions.toSorted().join() === wanted.join() ? sessions : new Miss(sessions)
    }, { ms: HEARD_WITHIN_MS })
  }

  async stop({ failed = false } = {}) {
    await this.walk?.end()
    this.database?.process.kill('SIGKILL')
    await this.database?.exit
    if (failed || process.env.PARLEY_KEEP_LOGS) {
      fs.mkdirSync(LOGS, { recursive: true })
      const logs = path.join(this.home, 'trial/var')
      const written = fs.existsSync(logs) ? fs.readdirSync(logs).filter((name) => name.endsWith('.log')) : []
      for (const file of written) fs.copyFileSync(path.join(logs, file), path.join(LOGS, `${STORY}-${file}`))
      console.error(`logs of the nodes: ${LOGS}/${STORY}-*.log`)
    }
    fs.rmSync(this.home, { recursive: true, force: true })
  }
}

async function hearEachOther(anna, ben, when) {
  await Promise.all([
    hearsTone(ben.page, TONES.first, { who: `ben, ${when},`, ms: HEARD_WITHIN_MS }),
    hearsTone(anna.page, TONES.second, { who: `anna, ${when},`, ms: HEARD_WITHIN_MS }),
  ])
}

story(STORY, 'three nodes are set up as the document says, word for word, and a call goes over two of them, and from one that drains', async (stage) => {
  const began = Date.now()
  const site = stage.server = await Site.begin()
  const { walk } = site
  await walk.through('2.', { DATABASE: site.database.url, PORTS: site.ports })
  await walk.through('5.')
  stage.say(`all nodes were up after ${Date.now() - began} ms`)

  // Anna comes to the process that leads, Ben to the one that stands by.
  const anna = await stage.person(ANNA, { hz: TONES.first })
  const ben = await Person.open(`http://127.0.0.1:${site.ports}62`, site.accounts[BEN], { microphone: writeTone(stage.scratch, TONES.second) })
  stage.people.push(ben)
  await ben.signIn()
  await ben.enter(CHANNEL)
  await anna.startCall()
  await anna.unmute()
  const first = MEDIA[(await site.hasSessions([0, 0, 1])).indexOf(1)]
  await ben.joinCall()
  await ben.unmute()
  const sessions = await site.hasSessions([0, 1, 1])
  const second = MEDIA.find((node, at) => sessions[at] === 1 && node !== first)
  await hearEachOther(anna, ben, 'on two nodes')
  await walk.through('6.')

  // The one that was given Ben by the other: he is asked to come over as well.
  site.drained = second
  const drainedAt = Date.now()
  await walk.through('7.', { NODE: second })
  stage.say(`${second} drained, ended and started again within ${Date.now() - drainedAt} ms`)
  await hearEachOther(anna, ben, `after ${second} was drained`)
  await anna.seesParticipant(ben.username)
  await ben.seesParticipant(anna.username)

  await walk.through('8.')
  await walk.through('9.')
  await hearEachOther(anna, ben, 'with a fourth node')
  await ben.leaveCall()
  await anna.leaveCall()
  await walk.through('11.')
  assert.deepEqual(walk.left, [], 'every block was run')
  stage.say(`the whole took ${Date.now() - began} ms`)
}, { ms: LIMIT_MS })
