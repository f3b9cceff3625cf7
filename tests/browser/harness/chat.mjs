// Messages written over the API: so that a story has as many as it needs, from whom it needs.

const signedIn = new Map()

/** The token of an account, signed in once per server. */
async function token(server, account) {
  const key = `${server.url} ${account.username}`
  if (!signedIn.has(key)) {
    signedIn.set(key, fetch(`${server.url}/api/v4/users/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ login_id: account.username, password: account.password }),
    }).then((answer) => answer.headers.get('token')))
  }
  return signedIn.get(key)
}

/** A request as somebody; what is refused throws. */
export async function ask(server, account, method, path, body) {
  const answer = await fetch(`${server.url}/api/v4${path}`, {
    method,
    headers: { 'content-type': 'application/json', authorization: `Bearer ${await token(server, account)}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const data = await answer.json()
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${data.message}`)
  return data
}

/** The channel of a name (or, `byTitle`, of a title) that the account is in. */
async function channelOf(server, account, name, { byTitle = false } = {}) {
  const channels = await ask(server, account, 'GET', '/users/me/channels')
  const found = channels.find((channel) => (byTitle ? channel.display_name : channel.name) === name)
  if (!found) throw new Error(`${account.username} is in no channel \`${name}\``)
  return found
}

export async function post(server, account, channel, message, how) {
  const { id } = await channelOf(server, account, channel, how)
  return ask(server, account, 'POST', '/posts', { channel_id: id, message })
}

/** `message 1 …` to `message <count> …`, some of them of several lines. Those written `atOnce` may stand in any order. */
export async function writeMany(server, account, channel, count, { atOnce = 1 } = {}) {
  const { id } = await channelOf(server, account, channel)
  const write = (number) => ask(server, account, 'POST', '/posts', { channel_id: id, message: `message ${number} ${'word '.repeat((number * 7) % 60)}${number % 5 === 0 ? '\n\nand **more**' : ''}` })
  for (let first = 1; first <= count; first += atOnce) {
    await Promise.all(Array.from({ length: Math.min(atOnce, count - first + 1) }, (_, at) => write(first + at)))
  }
}
