// A WebSocket client that may be rude: it sends any frame, well formed or not.
//
// The polite one that Node has would refuse to send what the tests of bad input must send.

import { randomBytes } from 'node:crypto'
import http from 'node:http'

export const TEXT = 1
export const BINARY = 2
const CLOSE = 8
const PING = 9
const PONG = 10

export class RawSocket {
  /**
   * Opens a WebSocket; `status` is 101, or what the server answered instead.
   *
   * @param {string} url http(s) address with path and query
   */
  static open(url, headers = {}) {
    return new Promise((resolve, reject) => {
      const request = http.request(url, {
        headers: {
          connection: 'Upgrade',
          upgrade: 'websocket',
          'sec-websocket-version': '13',
          'sec-websocket-key': randomBytes(16).toString('base64'),
          ...headers,
        },
      })
      request.setTimeout(10_000, () => request.destroy(new Error(`no answer from ${url} within 10 s`)))
      request.once('error', reject)
      request.once('response', (answer) => {
        let body = ''
        answer.setEncoding('utf8').on('data', (part) => { body += part }).on('end', () => resolve(Object.assign(new RawSocket(undefined), { status: answer.statusCode, body })))
      })
      request.once('upgrade', (answer, socket, head) => {
        socket.setTimeout(0)
        resolve(new RawSocket(socket, head))
      })
      request.end()
    })
  }

  constructor(socket, head = Buffer.alloc(0)) {
    this.status = 101
    /** Text and binary messages of the server: parsed JSON, or text or bytes that are not JSON. */
    this.messages = []
    /** `{code, reason}` of the server's close frame. */
    this.closed = undefined
    this.ended = !socket
    this.socket = socket
    this.buffer = head
    if (!socket) return
    socket.on('data', (data) => this.#take(data))
    socket.on('error', () => { this.ended = true })
    socket.on('close', () => { this.ended = true })
    this.#take(Buffer.alloc(0))
  }

  send(data, opcode = typeof data === 'string' ? TEXT : BINARY) {
    const payload = Buffer.from(data)
    const mask = randomBytes(4)
    const length = payload.length < 126 ? [] : payload.length < 65_536 ? uint(payload.length, 2) : uint(payload.length, 8)
    const first = payload.length < 126 ? payload.length : payload.length < 65_536 ? 126 : 127
    const masked = Buffer.from(payload)
    for (let at = 0; at < masked.length; at += 1) masked[at] ^= mask[at % 4]
    this.raw(Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | first, ...length]), mask, masked]))
  }

  /** Sends a message as JSON text. */
  say(message) {
    this.send(JSON.stringify(message))
  }

  /** Sends bytes as they are, below the framing. */
  raw(bytes) {
    if (!this.ended) this.socket.write(bytes)
  }

  end() {
    this.socket?.destroy()
  }

  #take(data) {
    this.buffer = Buffer.concat([this.buffer, data])
    for (;;) {
      if (this.buffer.length < 2) return
      let size = this.buffer[1] & 0x7f
      let at = 2
      if (size === 126) {
        if (this.buffer.length < 4) return
        size = this.buffer.readUInt16BE(2)
        at = 4
      } else if (size === 127) {
        if (this.buffer.length < 10) return
        size = Number(this.buffer.readBigUInt64BE(2))
        at = 10
      }
      if (this.buffer.length < at + size) return
      const opcode = this.buffer[0] & 0x0f
      const payload = this.buffer.subarray(at, at + size)
      this.buffer = this.buffer.subarray(at + size)
      this.#message(opcode, payload)
    }
  }

  #message(opcode, payload) {
    if (opcode === PING) return this.send(payload, PONG)
    if (opcode === CLOSE) {
      this.closed = { code: payload.length >= 2 ? payload.readUInt16BE(0) : 1005, reason: payload.subarray(2).toString() }
      return this.end()
    }
    if (opcode !== TEXT) return this.messages.push(payload)
    try {
      return this.messages.push(JSON.parse(payload.toString()))
    } catch {
      return this.messages.push(payload.toString())
    }
  }
}

function uint(value, bytes) {
  const out = Buffer.alloc(bytes)
  if (bytes === 2) out.writeUInt16BE(value)
  else out.writeBigUInt64BE(BigInt(value))
  return out
}
