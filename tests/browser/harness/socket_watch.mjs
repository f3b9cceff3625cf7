// Watches whom the product talks to: the far ends of all sockets of its processes, a few times a second.

import { connections, descendants, isLoopback } from './processes.mjs'

const LOOK_EVERY_MS = 200
/** Servers that a larger installation would use: PostgreSQL, NATS, S3 stand-ins (MinIO, moto, s3s). */
const FOREIGN_PORTS = new Map([[5432, 'PostgreSQL'], [4222, 'NATS'], [9000, 'S3']])

export class SocketWatch {
  /** @param {number} pid the product's process; its descendants are watched as well */
  constructor(pid) {
    this.pid = pid
    this.looks = 0
    this.found = new Set()
    this.timer = setInterval(() => this.#look(), LOOK_EVERY_MS)
    this.timer.unref()
  }

  #look() {
    this.looks += 1
    for (const pid of [this.pid, ...descendants(this.pid).map((child) => child.pid)]) {
      for (const { protocol, far, port } of connections(pid)) {
        if (!isLoopback(far)) this.found.add(`${protocol} ${far}:${port}`)
        else if (FOREIGN_PORTS.has(port)) this.found.add(`${protocol} ${far}:${port} (${FOREIGN_PORTS.get(port)})`)
      }
    }
  }

  /** Ends the watch and returns what should not have been: far ends outside, or foreign servers. */
  stop() {
    clearInterval(this.timer)
    this.#look()
    return [...this.found]
  }
}
