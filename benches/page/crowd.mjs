// A server that is none: the built page with its compressed copies, a channel of as many messages as
// asked for, and a call of as many people, whose voices, hands and reactions come and go on a clock.
//
// Not here: media (`peer.js` stands for it in the page), and any right or rule of the real server.

import { createHash } from 'node:crypto'
import fs from 'node:fs'
import http from 'node:http'
import path from 'node:path'

const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.txt': 'text/plain' }
const EVENT = 'custom_com.mattermost.calls_'
const CHANNEL = 'channel000000000000000000c'
const TEAM = 'team0000000000000000000000'
const ME = id('user', 0)
const EMOJI = [['+1', '👍'], ['tada', '🎉'], ['heart', '❤️'], ['clap', '👏']]

function id(kind, number) {
  return `${kind}${String(number).padStart(26 - kind.length, '0')}`
}

function person(number) {
  return { id: id('user', number), username: `person${number}`, first_name: 'Person', last_name: `Number ${number}`, nickname: '', email: '', roles: 'system_user', delete_at: 0, last_picture_update: 0, locale: 'en' }
}

function post(number) {
  const text = `message ${number} ${'word '.repeat((number * 7) % 60)}${number % 5 === 0 ? '\n\nand **more** of it' : ''}`
  return { id: id('post', number), channel_id: CHANNEL, user_id: id('user', (number * 7) % 20), root_id: '', message: text, type: '', create_at: 1_700_000_000_000 + number * 40_000, update_at: 1, edit_at: 0, delete_at: 0, reply_count: 0, props: {}, metadata: {} }
}

export class Crowd {
  /** `encodings`: which compressed copies are sent (`br`, `gz`), the first that the browser takes. */
  constructor({ dist, people = 0, posts = 0, signedIn = true, encodings = ['br', 'gz'] }) {
    Object.assign(this, { dist, people, posts, signedIn, encodings })
    this.sockets = new Set()
    /** Events told to those in the call so far. */
    this.told = 0
    this.server = http.createServer((request, response) => this.#answer(request, response))
    this.server.on('upgrade', (request, socket) => this.#greet(request, socket))
  }

  async open() {
    await new Promise((resolve) => { this.server.listen(0, '127.0.0.1', resolve) })
    this.url = `http://localhost:${this.server.address().port}`
    return this
  }

  close() {
    clearInterval(this.clock)
    this.sockets.forEach((socket) => socket.destroy())
    this.server.close()
    this.server.closeAllConnections()
  }

  /** From now on so many things a second happen in the call. */
  stir({ voices, hands, reactions }) {
    const due = { voices: 0, hands: 0, reactions: 0 }
    const stepMs = 50
    let turn = 0
    const somebody = () => id('session', 1 + ((turn += 37) % (this.people - 1)))
    const on = { voices: [], hands: [] }
    const flip = (kind, begin, end, most) => {
      if (on[kind].length >= most) this.#tell(end, { session_id: on[kind].shift(), raised_hand: 0 })
      const session = somebody()
      on[kind].push(session)
      this.#tell(begin, { session_id: session, raised_hand: Date.now() })
    }
    this.clock = setInterval(() => {
      for (const [kind, rate] of Object.entries({ voices, hands, reactions })) {
        for (due[kind] += rate * stepMs / 1000; due[kind] >= 1; due[kind] -= 1) {
          if (kind === 'voices') flip('voices', 'user_voice_on', 'user_voice_off', 6)
          else if (kind === 'hands') flip('hands', 'user_raise_hand', 'user_unraise_hand', 10)
          else {
            const session = somebody()
            const [name, literal] = EMOJI[turn % EMOJI.length]
            this.#tell('user_reacted', { session_id: session, user_id: id('user', Number(/\d+$/.exec(session)[0])), emoji: { name, literal, unified: '' }, timestamp: Date.now() })
          }
        }
      }
    }, stepMs)
  }

  /** Its people are numbered from 0, who is the one at the page and joins last. */
  #call(first) {
    const sessions = Array.from({ length: this.people - first }, (_, index) => index + first).map((number) => ({ session_id: id('session', number), user_id: id('user', number), unmuted: true, raised_hand: 0 }))
    return { id: id('call', 1), start_at: Date.now() - 60_000, sessions, owner_id: id('user', 1), host_id: id('user', 1), thread_id: '', post_id: '', screen_sharing_session_id: '' }
  }

  #answer(request, response) {
    const url = new URL(request.url, this.url)
    const chunks = []
    request.on('data', (chunk) => chunks.push(chunk))
    request.on('end', () => {
      if (!/^\/(api|plugins)\//.test(url.pathname)) {
        this.#file(request, response, url.pathname)
        return
      }
      const body = chunks.length > 0 && /json/.test(request.headers['content-type'] ?? '') ? JSON.parse(Buffer.concat(chunks).toString()) : null
      const answer = this.#api(url, body)
      response.writeHead(answer === undefined ? 401 : 200, { 'content-type': 'application/json' })
      response.end(JSON.stringify(answer ?? { id: 'api.context.session_expired.app_error', message: 'signed out', status_code: 401 }))
    })
  }

  #file(request, response, pathname) {
    const wanted = path.join(this.dist, pathname)
    const file = wanted.startsWith(this.dist) && fs.existsSync(wanted) && fs.statSync(wanted).isFile() ? wanted : path.join(this.dist, 'index.html')
    const taken = (request.headers['accept-encoding'] ?? '').replace('gzip', 'gz')
    const coding = this.encodings.find((one) => taken.includes(one) && fs.existsSync(`${file}.${one}`))
    response.writeHead(200, { 'content-type': TYPES[path.extname(file)] ?? 'application/octet-stream', 'cache-control': 'no-store', ...(coding ? { 'content-encoding': coding.replace('gz', 'gzip') } : {}) })
    response.end(fs.readFileSync(coding ? `${file}.${coding}` : file))
  }

  #api({ pathname, searchParams }, body) {
    const channel = { id: CHANNEL, team_id: TEAM, type: 'O', name: 'town-square', display_name: 'Town Square', header: '', purpose: '', delete_at: 0, total_msg_count: this.posts }
    switch (pathname.replace(/^\/(api\/v4|plugins\/com\.mattermost\.calls)/, '')) {
      case '/config/client': return { SiteName: 'Parley', EnableSignUpWithEmail: 'true', EnableOpenServer: 'true', PasswordMinimumLength: '8' }
      case '/users/me': return this.signedIn ? person(0) : undefined
      case '/users/me/teams': return [{ id: TEAM, name: 'main', display_name: 'Main' }]
      case '/users/me/teams/members': return []
      case '/users/me/channels': return [channel]
      case '/users/me/channel_members': return [{ channel_id: CHANNEL, user_id: ME, roles: 'channel_user', msg_count: this.posts, mention_count: 0, last_viewed_at: 0 }]
      case '/users/ids': return body.map((one) => person(Number(/\d+$/.exec(one)[0])))
      case '/users/status/ids': return body.map((one) => ({ user_id: one, status: 'online' }))
      case '/channels': return this.people > 0 ? [{ channel_id: CHANNEL, call: this.#call(1), enabled: true }] : []
      case `/${CHANNEL}`: return { channel_id: CHANNEL, call: this.#call(1) }
      case '/config': return { ICEServersConfigs: [], AllowScreenSharing: true }
      case '/version': return { version: '1.12.2' }
      case `/channels/${CHANNEL}/posts`: return this.#page(searchParams)
      default: return {}
    }
  }

  #page(query) {
    const before = query.get('before')
    const last = before ? Number(/\d+$/.exec(before)[0]) - 1 : this.posts
    const first = Math.max(1, last - Number(query.get('per_page') ?? 60) + 1)
    const all = Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => post(last - index))
    return { order: all.map((one) => one.id), posts: Object.fromEntries(all.map((one) => [one.id, one])), prev_post_id: first > 1 ? id('post', first - 1) : '', next_post_id: before ?? '' }
  }

  // RFC 6455, as far as one client that behaves needs it.
  #greet(request, socket) {
    const accept = createHash('sha1').update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`)
    this.sockets.add(socket)
    socket.on('close', () => this.sockets.delete(socket))
    socket.on('error', () => undefined)
    socket.seq = 0
    // The live connection of the page and the call's own: the latter is the person in the call.
    const connection = id('session', 0)
    this.#send(socket, 'hello', { connection_id: connection, server_version: '11.9.0' }, {})
    let rest = Buffer.alloc(0)
    socket.on('data', (bytes) => {
      rest = Buffer.concat([rest, bytes])
      for (let frame = readFrame(rest); frame; frame = readFrame(rest)) {
        rest = rest.subarray(frame.length)
        if (frame.text) this.#heard(socket, JSON.parse(frame.text), connection)
      }
    })
  }

  #heard(socket, { action, seq }, connection) {
    if (action === 'ping') writeFrame(socket, JSON.stringify({ status: 'OK', seq_reply: seq, data: { text: 'pong' } }))
    if (action !== `${EVENT}join`) return
    socket.inCall = true
    this.#send(socket, `${EVENT}join`, { connID: connection }, {})
    this.#send(socket, `${EVENT}call_state`, { channel_id: CHANNEL, call: JSON.stringify(this.#call(0)) }, { channel_id: CHANNEL })
  }

  #tell(name, data) {
    this.told += 1
    this.sockets.forEach((socket) => socket.inCall && this.#send(socket, EVENT + name, data, { channel_id: CHANNEL }))
  }

  #send(socket, event, data, broadcast) {
    writeFrame(socket, JSON.stringify({ event, data, broadcast, seq: socket.seq++ }))
  }
}

function writeFrame(socket, text) {
  const bytes = Buffer.from(text)
  const head = bytes.length < 126 ? Buffer.from([0x81, bytes.length]) : Buffer.from([0x81, bytes.length < 65_536 ? 126 : 127])
  const length = Buffer.alloc(bytes.length < 126 ? 0 : bytes.length < 65_536 ? 2 : 8)
  if (length.length === 2) length.writeUInt16BE(bytes.length)
  if (length.length === 8) length.writeBigUInt64BE(BigInt(bytes.length))
  socket.write(Buffer.concat([head, length, bytes]))
}

/** The first whole frame of a client: masked, never split. */
function readFrame(bytes) {
  if (bytes.length < 2) return null
  const short = bytes[1] & 0x7f
  const at = short < 126 ? 2 : short === 126 ? 4 : 10
  if (bytes.length < at) return null
  const size = short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2))
  if (bytes.length < at + 4 + size) return null
  const mask = bytes.subarray(at, at + 4)
  const body = Buffer.from(bytes.subarray(at + 4, at + 4 + size)).map((byte, index) => byte ^ mask[index % 4])
  return { length: at + 4 + size, text: (bytes[0] & 0x0f) === 1 ? body.toString() : '' }
}
