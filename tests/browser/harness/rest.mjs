// The product's REST doors, as a program uses them: sign in, channels, posts, files, calls.

const CALLS = '/plugins/com.mattermost.calls'

export class Rest {
  /** Signs in with a sample account. */
  static async signIn(url, account) {
    const answer = await fetch(`${url}/api/v4/users/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ login_id: account.username, password: account.password }),
    })
    if (answer.status !== 200) throw new Error(`sign in of ${account.username}: ${answer.status} ${await answer.text()}`)
    return new Rest(url, answer.headers.get('token'), await answer.json())
  }

  constructor(url, token, me) {
    this.url = url
    this.token = token
    this.me = me
  }

  /** Any request; returns the raw answer. */
  send(method, path, { body, headers = {} } = {}) {
    return fetch(this.url + path, { method, body, headers: { authorization: `Bearer ${this.token}`, ...headers } })
  }

  /** GET below /api/v4 as JSON; throws on anything but 200. */
  async get(path) {
    return this.#json('GET', `/api/v4${path}`)
  }

  /** GET below the calls API as JSON. */
  async calls(path) {
    return this.#json('GET', CALLS + path)
  }

  /** The channel of the person's first team with this name. */
  async channel(name) {
    const [team] = await this.get('/users/me/teams')
    const channels = await this.get(`/users/me/teams/${team.id}/channels`)
    const found = channels.find((channel) => channel.name === name)
    if (!found) throw new Error(`no channel \`${name}\` among ${channels.map((channel) => channel.name).join(', ')}`)
    return found
  }

  /** The state of the channel's running call, or undefined. */
  async callIn(channelId) {
    return (await this.calls(`/${channelId}`)).call
  }

  /** The newest call post of a channel. */
  async callPost(channelId) {
    const { posts, order } = await this.get(`/channels/${channelId}/posts?page=0&per_page=60`)
    return order.map((id) => posts[id]).find(({ type }) => type === 'custom_calls')
  }

  /** The replies in a post's thread, oldest first. */
  async replies(rootId) {
    const { posts } = await this.get(`/posts/${rootId}/thread`)
    return Object.values(posts).filter(({ root_id: root }) => root === rootId).sort((a, b) => a.create_at - b.create_at)
  }

  /** The bytes of a file. */
  async file(id) {
    const answer = await this.send('GET', `/api/v4/files/${id}`)
    if (answer.status !== 200) throw new Error(`file ${id}: ${answer.status} ${await answer.text()}`)
    return Buffer.from(await answer.arrayBuffer())
  }

  async #json(method, path) {
    const answer = await this.send(method, path)
    if (answer.status !== 200) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
    return answer.json()
  }
}
