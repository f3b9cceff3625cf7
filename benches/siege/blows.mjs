// What the siege does: one process of each kind in turn, killed or stopped in order, and started again, as an
// operator's supervisor would.
//
// In: a cluster, its people. Out: the blows with their times, and the people whose media was at a node that was hit.
// Invariant: what ends without having been hit is started again as well, and told.

import fs from 'node:fs'

import { workingIn } from '../../tests/browser/harness/processes.mjs'
import { pause } from '../../tests/browser/harness/speech.mjs'
import { Miss, until } from '../../tests/browser/harness/until.mjs'

/** What was killed stays away so long: long enough that the others notice. */
const DOWN_MS = 5_000
/** What ended by itself is started again after this. */
const RESTART_MS = 1_000
/** What is stopped in order and has not ended by then is killed, and told. */
export const ENDS_WITHIN_MS = 15_000
const LEADER_WITHIN_MS = 20_000
const IS_WORKER = / worker$/

/** In this order; all is there again, and noticed as such, before its turn comes anew. */
const KINDS = {
  kill: ['media node', 'signalling, leads', 'job service', 'NATS', 'media node', 'signalling, stands by', 'nginx', 'recorder', 'PostgreSQL'],
  // A recorder is a process of its service, which nobody stops by itself.
  drain: ['media node', 'signalling, leads', 'job service', 'NATS', 'media node', 'signalling, stands by', 'nginx', 'PostgreSQL'],
}
/** SIGTERM, but for PostgreSQL: it would wait for its clients; its units and Debian's stop it so. */
const STOPS = { postgres: 'SIGINT' }
/** A master whose workers go on without it would keep the port: killed with all that it has begun. */
const WITH_WORKERS = ['nginx', 'postgres']

export class Blows {
  constructor(cluster, people, say) {
    Object.assign(this, { cluster, people, say, all: [], surprises: [] })
    this.began = Date.now()
    this.down = new Set()
    this.lastHit = new Map()
    this.isOver = false
    for (const name of cluster.running.keys()) this.#supervise(name)
  }

  /** An instant as seconds of the siege. */
  when(at) {
    return `at ${((at - this.began) / 1000).toFixed(0)} s`
  }

  /** One half of the siege. */
  async rain(how, { minutes, every }) {
    const turns = Math.max(1, Math.floor((minutes * 60) / every))
    for (let turn = 0; turn < turns; turn += 1) {
      const next = Date.now() + every * 1000
      const looks = await this.people.look()
      await this.#strike(how, KINDS[how][turn % KINDS[how].length], looks)
      await pause(Math.max(0, next - Date.now()))
    }
  }

  /** Nothing is started again from now on. */
  end() {
    this.isOver = true
  }

  async #strike(how, kind, looks) {
    const target = this.#pick(kind, looks)
    if (!target) {
      this.say(`${kind}: there is none`)
      return
    }
    const { name, pid } = target
    const hit = kind === 'media node' ? looks.filter(({ node }) => node === name).map((look) => look.name) : []
    const blow = { at: Date.now(), how, kind, name, hit }
    const [epoch] = this.cluster.leader()
    this.lastHit.set(name, blow.at)
    this.all.push(blow)
    this.say(`${how}: ${kind}, ${name}${hit.length > 0 ? `, with ${hit.join(' ')}` : ''}`)
    if (pid) {
      process.kill(pid, 'SIGKILL') // its service starts another
      return
    }
    const leads = kind === 'signalling, leads' ? this.#leaderAfter(epoch, blow) : undefined
    await Promise.all([this.#endAndStart(how, name, blow), leads])
  }

  #pick(kind, looks) {
    const { cluster } = this
    switch (kind) {
      case 'media node': {
        // Of those that have people the one that was left alone longest.
        const used = new Set(looks.flatMap(({ node }) => node ?? []))
        const [name] = [...used].sort((a, b) => (this.lastHit.get(a) ?? 0) - (this.lastHit.get(b) ?? 0))
        return name && { name }
      }
      case 'signalling, leads': return { name: cluster.leader()[1] }
      case 'signalling, stands by': return { name: [...cluster.fronts.keys()].find((name) => name !== cluster.leader()[1]) }
      case 'job service': return { name: this.#recorder()?.name ?? 'jobs-1' }
      case 'recorder': return this.#recorder()
      default: return { name: { NATS: 'between', nginx: 'nginx', PostgreSQL: 'postgres' }[kind] }
    }
  }

  /** The process that records, and whose it is: also when that service was killed and has taken it up again. */
  #recorder() {
    const workers = workingIn(this.cluster.home).filter(({ command }) => IS_WORKER.test(command))
    const first = workers.find(({ parent }) => !workers.some(({ pid }) => pid === parent))
    if (!first) return undefined
    // Its log is in the folder of its job.
    const log = fs.readlinkSync(`/proc/${first.pid}/fd/2`)
    return { pid: first.pid, name: [...this.cluster.jobServices.keys()].find((name) => log.includes(`/${name}/`)) }
  }

  async #leaderAfter(epoch, blow) {
    try {
      await until('another signalling process leads', () => {
        const [now] = this.cluster.leader()
        return now > epoch || new Miss(`epoch ${now}`)
      }, { ms: LEADER_WITHIN_MS, every: 50 })
    } catch (error) {
      this.say(error.message)
    }
    blow.leaderMs = Date.now() - blow.at
  }

  async #endAndStart(how, name, blow) {
    this.down.add(name)
    const { exit } = this.cluster.running.get(name)
    if (how === 'kill') {
      if (WITH_WORKERS.includes(name)) this.cluster.killAll(name)
      else this.cluster.signal(name, 'SIGKILL')
      await exit
      await pause(DOWN_MS)
    } else {
      this.cluster.signal(name, STOPS[name] ?? 'SIGTERM')
      await this.cluster.ended(name, { ms: ENDS_WITHIN_MS }).catch((error) => {
        this.say(error.message)
        blow.isLate = true
        this.cluster.killAll(name)
      })
      await exit
      blow.endedAfterMs = Date.now() - blow.at
    }
    await this.#again(name)
    this.down.delete(name)
  }

  async #again(name) {
    while (!this.isOver) {
      try {
        await this.cluster.again(name)
        this.#supervise(name)
        return
      } catch (error) {
        this.say(`${name} does not start: ${error.message.split('\n')[0]}`)
        await pause(RESTART_MS)
      }
    }
  }

  #supervise(name) {
    const { exit, process: child } = this.cluster.running.get(name)
    const isLeftAlone = () => !this.isOver && !this.down.has(name) && this.cluster.running.get(name).process === child
    void exit.then(async (code) => {
      if (!isLeftAlone()) return
      this.surprises.push({ name, at: Date.now(), code })
      this.say(`${name} ended by itself with ${code}`)
      await pause(RESTART_MS)
      if (isLeftAlone()) await this.#again(name)
    })
  }
}
