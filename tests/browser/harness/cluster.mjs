// Parley as nodes of a cluster: a real server between them, media nodes, one signalling node.
//
// In: the binaries beside PARLEY_BIN. Out: an address and accounts, as of `Server`, and media nodes that
// can be started and killed one by one. Logs of all stay in target/browser-logs when a story fails.

import { spawn, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

import { free, freeMediaPort } from './ports.mjs'
import { ROOT } from './server.mjs'
import { Miss, until } from './until.mjs'

const BIN = path.dirname(process.env.PARLEY_BIN ?? path.join(ROOT, 'target', 'debug', 'parley'))
const LOGS = path.join(ROOT, 'target', 'browser-logs')
const SERVERS = ['/usr/sbin/nats-server', '/usr/bin/nats-server']
const PASSWORD = 'a password of the tests'
const READY_WITHIN_MS = 60_000

export class Cluster {
  /** Starts a cluster of these media nodes and waits until people can call. */
  static async start(story, { media, people = ['anna', 'ben', 'carla'] }) {
    const cluster = new Cluster(story)
    try {
      await cluster.#begin(media, people)
    } catch (error) {
      await cluster.stop({ failed: true })
      throw error
    }
    return cluster
  }

  constructor(story) {
    this.story = story
    this.home = fs.mkdtempSync(path.join(os.tmpdir(), `cluster-${story}-`))
    this.running = new Map()
  }

  async #begin(media, people) {
    const [between, front] = [await free(0), await free(0)]
    this.url = `http://127.0.0.1:${front}`
    const papers = path.join(this.home, 'papers')
    this.#ask('parley', 'cluster', 'init', '--server', `a=127.0.0.1:${between}`, '--folder', papers,
      '--installed-in', path.join(papers, 'servers/a'), '--data-in', path.join(this.home, 'kept'))
    for (const node of [...media, 'front']) this.#ask('parley', 'cluster', 'add-node', node, '--folder', papers)
    const program = SERVERS.find((place) => fs.existsSync(place))
    if (!program) throw new Error('no nats-server: run `tests/run`')
    this.#spawn('between', program, '-c', path.join(papers, 'servers/a/server.conf'))
    for (const node of media) await this.startMedia(node)
    const config = path.join(this.home, 'front.toml')
    fs.writeFileSync(config, `
[http]
listen = "127.0.0.1:${front}"
[storage]
data_dir = "${this.home}/front"
[cluster]
papers = "${papers}/nodes/front"
`)
    for (const name of people) this.#ask('signalling', '--config', config, 'add-account', name)
    this.accounts = people.map((username) => ({ username, password: PASSWORD }))
    this.#spawn('front', path.join(BIN, 'signalling'), '--config', config, 'run')
    await until('signalling knows all media nodes', () => {
      const connected = this.#log('front').split('media host connected').length - 1
      return connected >= media.length ? true : new Miss(`${connected} of ${media.length}`)
    }, { ms: READY_WITHIN_MS })
  }

  #log(name) {
    return fs.readFileSync(path.join(this.home, `${name}.log`), 'utf8')
  }

  /** Starts a media node, whose papers are there, and waits until it answers. */
  async startMedia(node) {
    const [api, media, links] = [await free(0), await freeMediaPort(), await freeMediaPort()]
    const config = path.join(this.home, `${node}.toml`)
    fs.writeFileSync(config, `
[api.http]
listen_address = "127.0.0.1:${api}"
[api.security]
allow_self_registration = true
[rtc]
ice_address_udp = "127.0.0.1"
ice_address_tcp = "127.0.0.1"
ice_port_udp = ${media}
ice_port_tcp = ${media}
[cluster]
papers = "${this.home}/papers/nodes/${node}"
url = "http://127.0.0.1:${api}"
link_address = "127.0.0.1:${links}"
spread_by_load = false
[store]
data_source = "${this.home}/${node}"
[logger]
enable_file = false
`)
    this.#spawn(node, path.join(BIN, 'rtcd'), '--config', config, 'run')
    this.running.get(node).api = api
    await until(`media node ${node} answers`, () => fetch(`http://127.0.0.1:${api}/version`).then((answer) => answer.ok, () => false), { ms: READY_WITHIN_MS })
  }

  /** How many sessions have their media at a node. */
  async sessions(node) {
    const metrics = await fetch(`http://127.0.0.1:${this.running.get(node).api}/metrics`).then((answer) => answer.text())
    const rows = [...metrics.matchAll(/^rtcd_rtc_sessions_total\{[^}]*\} (\d+)$/gm)]
    return rows.reduce((sum, [, count]) => sum + Number(count), 0)
  }

  /** Sends a signal to a process, by the name of its node. */
  signal(node, signal) {
    this.running.get(node).process.kill(signal)
  }

  /** Waits until a process has ended by itself. */
  async ended(node, { ms }) {
    const late = new Promise((_, reject) => { setTimeout(() => reject(new Error(`${node} still runs after ${ms} ms`)), ms).unref() })
    await Promise.race([this.running.get(node).exit, late])
  }

  get alive() {
    return true
  }

  #ask(program, ...args) {
    const answer = spawnSync(path.join(BIN, program), args, { encoding: 'utf8', cwd: this.home, env: { ...process.env, SIGNALLING_PASSWORD: PASSWORD } })
    if (answer.status !== 0) throw new Error(`${program} ${args.join(' ')}: ${answer.stdout}${answer.stderr}`)
  }

  #spawn(name, program, ...args) {
    const log = fs.openSync(path.join(this.home, `${name}.log`), 'a')
    const child = spawn(program, args, { cwd: this.home, stdio: ['ignore', log, log] })
    fs.closeSync(log)
    const exit = new Promise((resolve) => { child.once('exit', resolve) })
    this.running.set(name, { process: child, exit })
  }

  async stop({ failed = false } = {}) {
    for (const { process: child, exit } of [...this.running.values()].reverse()) {
      child.kill('SIGKILL')
      await exit
    }
    if (failed || process.env.PARLEY_KEEP_LOGS) {
      fs.mkdirSync(LOGS, { recursive: true })
      for (const name of this.running.keys()) fs.copyFileSync(path.join(this.home, `${name}.log`), path.join(LOGS, `${this.story}-${name}.log`))
      console.error(`logs of the cluster: ${LOGS}/${this.story}-*.log`)
    }
    fs.rmSync(this.home, { recursive: true, force: true })
  }
}
