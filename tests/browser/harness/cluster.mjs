// Parley as nodes of a cluster: a real server between them, media nodes, one signalling node, or several
// behind nginx on a PostgreSQL.
//
// In: the binaries beside PARLEY_BIN. Out: an address and accounts, as of `Server`, and nodes that can be
// started and killed one by one. Logs of all stay in target/browser-logs when a story fails.

import { spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

import { startNginx } from './nginx.mjs'
import { free, freeMediaPort } from './ports.mjs'
import { startPostgres } from './postgres.mjs'
import { descendants, workingIn } from './processes.mjs'
import { ROOT } from './server.mjs'
import { Miss, until } from './until.mjs'

const workersOf = (pid) => descendants(pid).filter(({ command }) => command.endsWith(' worker'))
const BIN = path.dirname(process.env.PARLEY_BIN ?? path.join(ROOT, 'target', 'debug', 'parley'))
const LOGS = path.join(ROOT, 'target', 'browser-logs')
const SERVERS = ['/usr/sbin/nats-server', '/usr/bin/nats-server']
const PASSWORD = 'a password of the tests'
const READY_WITHIN_MS = 60_000

/** How many sessions have their media at the media node with this address. */
export async function sessionsAt(url) {
  const metrics = await fetch(`${url}/metrics`).then((answer) => answer.text())
  const rows = [...metrics.matchAll(/^rtcd_rtc_sessions_total\{[^}]*\} (\d+)$/gm)]
  return rows.reduce((sum, [, count]) => sum + Number(count), 0)
}

export class Cluster {
  /**
   * Starts a cluster of these media nodes and waits until people can call. With several `fronts` they are
   * signalling processes on one PostgreSQL, and people go through nginx. `records`: with so many job
   * services; `keepsJobs`: what they made stays in their folders. `callSessions`: so many of a call are on one
   * media node, and further ones on another.
   */
  static async start(story, { media, fronts = ['front'], people = ['anna', 'ben', 'carla'], records = 0, keepsJobs = false, callSessions = 0 }) {
    const cluster = new Cluster(story)
    Object.assign(cluster, { keepsJobs, callSessions })
    try {
      await cluster.#begin(media, fronts, people, records)
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

  async #begin(media, fronts, people, records) {
    const between = await free(0)
    const papers = path.join(this.home, 'papers')
    this.#ask('parley', 'cluster', 'init', '--server', `a=127.0.0.1:${between}`, '--folder', papers,
      '--installed-in', path.join(papers, 'servers/a'), '--data-in', path.join(this.home, 'kept'))
    for (const node of [...media, ...fronts]) this.#ask('parley', 'cluster', 'add-node', node, '--folder', papers)
    const program = SERVERS.find((place) => fs.existsSync(place))
    if (!program) throw new Error('no nats-server: run `tests/run`')
    this.#spawn('between', program, process.env, '-c', path.join(papers, 'servers/a/server.conf'))
    for (const node of media) await this.startMedia(node)
    this.jobServices = new Map()
    for (let number = 1; number <= records; number += 1) this.jobServices.set(`jobs-${number}`, `http://127.0.0.1:${await free(0)}`)
    await (fronts.length === 1 ? this.#alone(fronts[0]) : this.#several(fronts))
    // The first administrates, as of `Server`.
    for (const name of people) this.#ask('signalling', '--config', path.join(this.home, `${fronts[0]}.toml`), 'add-account', name, ...(name === people[0] ? ['--admin'] : []))
    this.accounts = people.map((username) => ({ username, password: PASSWORD }))
    for (const name of this.jobServices.keys()) await this.startJobService(name)
    for (const front of fronts) this.startFront(front)
    await until('signalling knows all media nodes', () => {
      const connected = fronts.map((front) => this.log(front).split('media host connected').length - 1)
      return Math.max(...connected) >= media.length ? true : new Miss(`${connected} of ${media.length}`)
    }, { ms: READY_WITHIN_MS })
    for (const front of fronts.length > 1 ? fronts : []) {
      await until(`${front} leads or stands by`, () => /this process leads|stands by, and/.test(this.log(front)) || new Miss(this.log(front)), { ms: READY_WITHIN_MS })
    }
  }

  async #alone(front) {
    const port = await free(0)
    this.url = `http://127.0.0.1:${port}`
    this.#configure(front, `listen = "127.0.0.1:${port}"`, '', '')
  }

  async #several(fronts) {
    const database = await startPostgres(this.home)
    this.running.set('postgres', database)
    this.fronts = new Map()
    for (const front of fronts) this.fronts.set(front, { port: await free(0), link: await free(0) })
    const nginx = await startNginx(this.home, [...this.fronts.values()].map(({ port }) => port))
    this.running.set('nginx', nginx)
    this.url = nginx.url
    this.authority = nginx.authority
    // All have one key, as operators are told.
    const key = path.join(this.home, 'secret.key')
    fs.writeFileSync(key, randomBytes(32), { mode: 0o600 })
    for (const [front, { port, link }] of this.fronts) {
      this.#configure(front, `listen = "127.0.0.1:${port}"\nsite_url = "${nginx.url}"\ntrusted_proxies = ["127.0.0.1"]`,
        `database = "${database.url}"\nkey_file = "${key}"`, `link_address = "127.0.0.1:${link}"`)
    }
  }

  #configure(front, http, storage, cluster) {
    const [first, ...further] = this.jobServices.values()
    const jobs = first ? `[offloader]\nurl = "${first}"\nfurther_urls = ${JSON.stringify(further)}` : ''
    fs.writeFileSync(path.join(this.home, `${front}.toml`), `
[http]
${http}
[storage]
data_dir = "${this.home}/front"
${storage}
[cluster]
papers = "${this.home}/papers/nodes/${front}"
${cluster}
${jobs}
`)
  }

  /** Starts a job service, whose bots come as people do, and waits until it answers. */
  async startJobService(name) {
    const url = this.jobServices.get(name)
    const config = path.join(this.home, `${name}.toml`)
    fs.writeFileSync(config, `
[api.http]
listen_address = "${url.slice('http://'.length)}"
[api.security]
allow_self_registration = true
[store]
data_source = "${this.home}/${name}"
[jobs]
done_jobs_retention_time = "${this.keepsJobs ? '12h' : ''}"
`)
    const trusts = this.authority ? { SSL_CERT_FILE: this.authority } : {}
    this.#spawn(name, path.join(BIN, 'offloader'), { ...process.env, ...trusts }, '--config', config, 'run')
    await until('the job service answers', () => fetch(`${url}/version`).then((answer) => answer.ok, () => false), { ms: READY_WITHIN_MS })
  }

  /** Starts a signalling process. */
  startFront(front) {
    this.#spawn(front, path.join(BIN, 'signalling'), process.env, '--config', path.join(this.home, `${front}.toml`), 'run')
  }

  /** The signalling process that has taken the lead last, of those that run. */
  leader() {
    const last = (name) => Number([...this.log(name).matchAll(/this process leads.*epoch=(\d+)/g)].at(-1)?.[1] ?? 0)
    const epochs = [...this.fronts.keys()].map((name) => [last(name), name])
    return epochs.sort(([a], [b]) => b - a)[0]
  }

  /** What a process has written so far. */
  log(name) {
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
call_sessions = ${this.callSessions}
[store]
data_source = "${this.home}/${node}"
[logger]
enable_file = false
`)
    this.#spawn(node, path.join(BIN, 'rtcd'), process.env, '--config', config, 'run')
    Object.assign(this.running.get(node), { api, media })
    await until(`media node ${node} answers`, () => fetch(`http://127.0.0.1:${api}/version`).then((answer) => answer.ok, () => false), { ms: READY_WITHIN_MS })
  }

  /** Starts once more what has ended, as it was started, at the same ports. */
  async again(name) {
    const before = this.running.get(name)
    this.running.set(name, { ...before, ...await before.again() })
  }

  /** How many sessions have their media at a node. */
  async sessions(node) {
    return sessionsAt(`http://127.0.0.1:${this.running.get(node).api}`)
  }

  /** The job services that have a worker. */
  recording() {
    return [...this.jobServices.keys()].filter((name) => workersOf(this.running.get(name).process.pid).length > 0)
  }

  /** Kills a process and all that it has begun. Unlike those of a machine without power its sockets close. */
  killAll(node) {
    const { pid, exitCode, signalCode } = this.running.get(node).process
    if (exitCode !== null || signalCode !== null) return // its number may be another's by now
    killEach([pid, ...descendants(pid).map((process) => process.pid)])
  }

  /** Sends a signal to a process, by the name of its node. */
  signal(node, signal) {
    this.running.get(node).process.kill(signal)
  }

  /** Waits until a process has ended by itself; says with which code. */
  async ended(node, { ms }) {
    const late = new Promise((_, reject) => { setTimeout(() => reject(new Error(`${node} still runs after ${ms} ms`)), ms).unref() })
    return Promise.race([this.running.get(node).exit, late])
  }

  get alive() {
    return true
  }

  #ask(program, ...args) {
    const answer = spawnSync(path.join(BIN, program), args, { encoding: 'utf8', cwd: this.home, env: { ...process.env, SIGNALLING_PASSWORD: PASSWORD } })
    if (answer.status !== 0) throw new Error(`${program} ${args.join(' ')}: ${answer.stdout}${answer.stderr}`)
  }

  #spawn(name, program, env, ...args) {
    const again = () => {
      const log = fs.openSync(path.join(this.home, `${name}.log`), 'a')
      const child = spawn(program, args, { cwd: this.home, env, stdio: ['ignore', log, log] })
      fs.closeSync(log)
      const exit = new Promise((resolve) => { child.once('exit', resolve) })
      return { process: child, exit }
    }
    this.running.set(name, { ...again(), again })
  }

  async stop({ failed = false } = {}) {
    for (const [name, { exit }] of [...this.running].reverse()) {
      this.killAll(name)
      await exit
    }
    // What went on when its service was killed before.
    killEach(workingIn(this.home).map(({ pid }) => pid))
    if (failed || process.env.PARLEY_KEEP_LOGS) {
      fs.mkdirSync(LOGS, { recursive: true })
      // Those of workers lie in the folders of their jobs.
      for (const file of fs.readdirSync(this.home, { recursive: true }).filter((name) => name.endsWith('.log'))) {
        fs.copyFileSync(path.join(this.home, file), path.join(LOGS, `${this.story}-${file.replaceAll(path.sep, '-')}`))
      }
      console.error(`logs of the cluster: ${LOGS}/${this.story}-*.log`)
    }
    fs.rmSync(this.home, { recursive: true, force: true })
  }
}

/** Those that have ended meanwhile are passed over. */
function killEach(pids) {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch (error) {
      if (error.code !== 'ESRCH') throw error
    }
  }
}
