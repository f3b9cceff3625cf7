// A message a second by the API, through nginx, and a reaction to every fifth: which were acknowledged, and which
// are there in the end.
//
// In: a cluster, a channel. Out: what is lost, twice, or was never acknowledged. What gets no answer is not sent
// again: only what was acknowledged is promised.

import fs from 'node:fs'
import https from 'node:https'

const EVERY_MS = 1_000
/** Longest wait for an answer: while the database is away some take as long. */
const ANSWER_WITHIN_MS = 15_000
const REACTION_TO_EVERY = 5
const EMOJI = '+1'
const PAGE = 200

export class Chat {
  /** Signs in and begins to write. */
  static async begin(cluster, channelId) {
    const chat = new Chat(cluster, channelId)
    const { headers, body } = await chat.#ask('POST', '/users/login', { login_id: cluster.accounts[0].username, password: cluster.accounts[0].password })
    Object.assign(chat, { token: headers.token, me: body.id })
    chat.timer = setInterval(() => { chat.writing.add(chat.#write()) }, EVERY_MS)
    return chat
  }

  constructor({ url, authority }, channelId) {
    Object.assign(this, { url, channelId, authority: fs.readFileSync(authority) })
    this.sent = 0
    this.posts = []
    this.reactions = []
    this.refused = new Map()
    this.writing = new Set()
  }

  stop() {
    clearInterval(this.timer)
  }

  get lastAcknowledged() {
    return this.posts.at(-1)?.message
  }

  facts() {
    return { sent: this.sent, acknowledged: this.posts.length, reactions: this.reactions.length, refused: Object.fromEntries(this.refused) }
  }

  /** Longest time between two messages that were acknowledged, in ms. */
  longestSilence() {
    const times = this.posts.map(({ at }) => at).sort((a, b) => a - b)
    return Math.max(0, ...times.slice(1).map((at, index) => at - times[index]))
  }

  async #write() {
    this.sent += 1
    const message = `message ${this.sent} of the siege`
    try {
      const { body } = await this.#ask('POST', '/posts', { channel_id: this.channelId, message })
      this.posts.push({ id: body.id, message, at: Date.now() })
      if (this.posts.length % REACTION_TO_EVERY !== 0) return
      await this.#ask('POST', '/reactions', { user_id: this.me, post_id: body.id, emoji_name: EMOJI })
      this.reactions.push(body.id)
    } catch (error) {
      const why = error.code ?? error.message.slice(0, 80)
      this.refused.set(why, (this.refused.get(why) ?? 0) + 1)
    }
  }

  /** Reads the whole channel: what of what was acknowledged is not there, and what is there twice. */
  async check() {
    await Promise.allSettled([...this.writing])
    const found = new Map()
    for (let page = 0; ; page += 1) {
      const { body: { posts, order } } = await this.#ask('GET', `/channels/${this.channelId}/posts?page=${page}&per_page=${PAGE}`)
      for (const id of order) found.set(id, posts[id])
      if (order.length < PAGE) break
    }
    const lost = this.posts.filter(({ id, message }) => found.get(id)?.message !== message)
    const mine = [...found.values()].map(({ message }) => message).filter((message) => message.endsWith('of the siege'))
    const twice = mine.filter((message, index) => mine.indexOf(message) !== index)
    const reactionsLost = []
    for (const id of this.reactions) {
      const { body } = await this.#ask('GET', `/posts/${id}/reactions`)
      if (!(body ?? []).some(({ emoji_name: name }) => name === EMOJI)) reactionsLost.push(id)
    }
    const refused = [...this.refused].map(([why, count]) => `${count} ${why}`).join(', ')
    return { lost, twice, reactionsLost, note: `${this.posts.length} of ${this.sent} were acknowledged${refused ? `; else: ${refused}` : ''}` }
  }

  /** A request by a connection of its own: nginx may have been another process a moment ago. */
  #ask(method, path, body) {
    return new Promise((resolve, reject) => {
      const request = https.request(`${this.url}/api/v4${path}`, {
        method,
        ca: this.authority,
        agent: false,
        signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
        headers: { 'content-type': 'application/json', ...(this.token ? { authorization: `Bearer ${this.token}` } : {}) },
      }, (answer) => {
        const parts = []
        answer.on('data', (part) => parts.push(part))
        answer.once('error', reject)
        answer.once('end', () => {
          const text = Buffer.concat(parts).toString()
          if (answer.statusCode >= 300) reject(new Error(`status ${answer.statusCode}`))
          else resolve({ headers: answer.headers, body: text ? JSON.parse(text) : undefined })
        })
      })
      request.once('error', reject)
      request.end(body === undefined ? undefined : JSON.stringify(body))
    })
  }
}
