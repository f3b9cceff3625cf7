// Bad input for every door of the running product: what is sent, and what a clear answer is.
//
// Each list returns entries `{what, send, wants, says}`: `send()` resolves to `{status, text}`,
// `wants` lists the statuses that tell the sender that it was wrong, and `says` is the key of the JSON
// body that has the reason in words (undefined where compatible servers answer in plain text).

import { randomBytes } from 'node:crypto'

const CALLS = '/plugins/com.mattermost.calls'
/** Well formed ids that belong to nobody. */
export const NOBODY = 'zzzzzzzzzzzzzzzzzzzzzzzzzz'
const OVERSIZE = 3 * 1024 * 1024
const JSON_BODY = { 'content-type': 'application/json' }

async function request(url, method, { body, headers = {} } = {}) {
  const answer = await fetch(url, { method, body, headers, redirect: 'manual' })
  return { status: answer.status, text: await answer.text() }
}

function basic(id, key) {
  return { authorization: `Basic ${Buffer.from(`${id}:${key}`).toString('base64')}` }
}

/** Messaging and calls API, as nobody and as a person who is not in the call. */
export function onSignalling(url, outsider, { channelId, sessionId }) {
  const auth = { authorization: `Bearer ${outsider.token}`, ...JSON_BODY }
  const as = (method, path, body, headers = auth) => () => request(url + path, method, { body, headers })
  return [
    { what: 'sign in with random bytes', send: as('POST', '/api/v4/users/login', randomBytes(300), JSON_BODY), wants: [400], says: 'message' },
    { what: 'sign in with wrong types', send: as('POST', '/api/v4/users/login', '{"login_id":7,"password":[]}', JSON_BODY), wants: [400, 401, 422], says: 'message' },
    { what: 'sign in with a wrong password', send: as('POST', '/api/v4/users/login', '{"login_id":"anna","password":"no"}', JSON_BODY), wants: [401], says: 'message' },
    { what: 'sign in with an oversize body', send: as('POST', '/api/v4/users/login', Buffer.alloc(OVERSIZE, 'x'), JSON_BODY), wants: [400, 413], says: 'message' },
    { what: 'own account without a session', send: as('GET', '/api/v4/users/me', undefined, {}), wants: [401], says: 'message' },
    { what: 'own account with an invented session', send: as('GET', '/api/v4/users/me', undefined, { authorization: `Bearer ${NOBODY}` }), wants: [401], says: 'message' },
    { what: 'a post in an unknown channel', send: as('POST', '/api/v4/posts', JSON.stringify({ channel_id: NOBODY, message: 'x' })), wants: [403, 404], says: 'message' },
    { what: 'a post of random bytes', send: as('POST', '/api/v4/posts', randomBytes(500)), wants: [400], says: 'message' },
    { what: 'a post in a malformed channel', send: as('POST', '/api/v4/posts', '{"channel_id":"../../etc","message":"x"}'), wants: [400, 403, 404], says: 'message' },
    { what: 'an unknown file', send: as('GET', `/api/v4/files/${NOBODY}`), wants: [403, 404], says: 'message' },
    { what: 'a file outside of the store', send: as('GET', '/api/v4/files/..%2f..%2f..%2fetc%2fpasswd'), wants: [400, 404], says: 'message' },
    { what: 'an unknown address of the API', send: as('GET', '/api/v4/no/such/thing'), wants: [404], says: 'message' },
    { what: 'an upload to an unknown session', send: as('POST', `/api/v4/uploads/${NOBODY}`, randomBytes(64)), wants: [400, 403, 404], says: 'message' },
    { what: 'the call of an unknown channel', send: as('GET', `${CALLS}/${NOBODY}`), wants: [403, 404], says: 'message' },
    { what: 'calls without a session', send: as('GET', `${CALLS}/channels`, undefined, {}), wants: [401], says: 'message' },
    { what: 'recording without being the host', send: as('POST', `${CALLS}/calls/${channelId}/recording/start`), wants: [403], says: 'message' },
    { what: 'an unknown recording verb', send: as('POST', `${CALLS}/calls/${channelId}/recording/rewind`), wants: [400, 403, 404], says: 'message' },
    { what: 'removing somebody without being the host', send: as('POST', `${CALLS}/calls/${channelId}/host/remove`, JSON.stringify({ session_id: sessionId })), wants: [400, 403], says: 'message' },
    { what: 'ending a call without being the host', send: as('POST', `${CALLS}/calls/${channelId}/host/end`), wants: [400, 403], says: 'message' },
    { what: 'a host action of random bytes', send: as('POST', `${CALLS}/calls/${channelId}/host/mute`, randomBytes(200)), wants: [400, 403, 429], says: 'message' },
    { what: "the bot's upload as a person", send: as('POST', `${CALLS}/bot/uploads`, JSON.stringify({ channel_id: channelId, filename: 'x.mp4', file_size: 3 })), wants: [403, 429], says: 'message' },
    { what: "the bot's job status as a person", send: as('POST', `${CALLS}/bot/calls/${channelId}/jobs/${NOBODY}/status`, '{"JobType":"recording","Status":"started"}'), wants: [403, 429], says: 'message' },
    { what: "the bot's recordings as a person", send: as('POST', `${CALLS}/bot/calls/${channelId}/recordings`, '{}'), wants: [403, 429], says: 'message' },
  ]
}

/** A tenant of the media server that has nothing to do with the running call. */
export const OTHER_TENANT = { id: 'intruder', key: 'k'.repeat(32) }

/** Registers the other tenant; resolves to the headers with its credentials. */
export async function registerOtherTenant(url) {
  const { id, key } = OTHER_TENANT
  const { status, text } = await request(`${url}/register`, 'POST', { body: JSON.stringify({ clientID: id, authKey: key }) })
  if (status !== 201) throw new Error(`registration of a second tenant: ${status} ${text}`)
  return basic(id, key)
}

/** The media server's control API, as nobody and as another tenant (`tenant`: its headers). */
export function onRtcd(url, tenant, { callId, sessionId }) {
  const stranger = basic(NOBODY, 'k'.repeat(32))
  return [
    { what: "rtcd: another tenant's call", send: () => request(`${url}/calls/${callId}/sessions`, 'GET', { headers: tenant }), wants: [404] },
    { what: "rtcd: another tenant's session", send: () => request(`${url}/calls/${callId}/sessions/${sessionId}`, 'GET', { headers: tenant }), wants: [404] },
    { what: 'rtcd: a second registration of a tenant', send: () => request(`${url}/register`, 'POST', { body: JSON.stringify({ clientID: OTHER_TENANT.id, authKey: 'x'.repeat(32) }) }), wants: [400, 401], says: 'error' },
    { what: 'rtcd: somebody else unregistered by a tenant', send: () => request(`${url}/unregister`, 'POST', { headers: tenant, body: '{"clientID":"x"}' }), wants: [403], says: 'error' },
    { what: 'rtcd: registration of random bytes', send: () => request(`${url}/register`, 'POST', { body: randomBytes(200) }), wants: [400, 401], says: 'error' },
    { what: 'rtcd: registration with a short key', send: () => request(`${url}/register`, 'POST', { body: '{"clientID":"intruder","authKey":"short"}' }), wants: [400, 401], says: 'error' },
    { what: 'rtcd: registration with wrong types', send: () => request(`${url}/register`, 'POST', { body: '{"clientID":1,"authKey":{}}' }), wants: [400, 401], says: 'error' },
    { what: 'rtcd: oversize registration', send: () => request(`${url}/register`, 'POST', { body: Buffer.alloc(OVERSIZE, 'x') }), wants: [400, 401, 413], says: 'error' },
    { what: 'rtcd: sign in with invented credentials', send: () => request(`${url}/login`, 'POST', { body: `{"clientID":"${NOBODY}","authKey":"${'k'.repeat(32)}"}` }), wants: [400], says: 'error' },
    { what: 'rtcd: the running call without credentials', send: () => request(`${url}/calls/${callId}/sessions`, 'GET'), wants: [401] },
    { what: 'rtcd: the running call as a stranger', send: () => request(`${url}/calls/${callId}/sessions/${sessionId}`, 'GET', { headers: stranger }), wants: [401, 404] },
    { what: 'rtcd: somebody else unregistered by a stranger', send: () => request(`${url}/unregister`, 'POST', { headers: stranger, body: '{"clientID":"x"}' }), wants: [401, 403], says: 'error' },
    { what: 'rtcd: an unknown address', send: () => request(`${url}/no/such/thing`, 'GET'), wants: [404] },
    { what: 'rtcd: a wrong method', send: () => request(`${url}/register`, 'DELETE'), wants: [404, 405] },
  ]
}

/** The job service. Without credentials nothing may be started, seen or removed. */
export function onOffloader(url) {
  const job = JSON.stringify({ type: 'recording', runner: 'mattermost/calls-recorder:v0.8.13', max_duration_sec: 60, input_data: {} })
  return [
    { what: 'offloader: a job without credentials', send: () => request(`${url}/jobs`, 'POST', { body: job }), wants: [401], says: 'error' },
    { what: 'offloader: a job with a short key', send: () => request(`${url}/jobs`, 'POST', { body: job, headers: basic('intruder', 'short') }), wants: [400, 401], says: 'error' },
    { what: 'offloader: random bytes', send: () => request(`${url}/jobs/init`, 'POST', { body: randomBytes(500) }), wants: [400, 401], says: 'error' },
    { what: 'offloader: an oversize body', send: () => request(`${url}/jobs`, 'POST', { body: Buffer.alloc(OVERSIZE, 'x') }), wants: [400, 401, 413], says: 'error' },
    { what: 'offloader: an unknown job', send: () => request(`${url}/jobs/${NOBODY}`, 'GET'), wants: [401, 404], says: 'error' },
    { what: 'offloader: registration of random bytes', send: () => request(`${url}/register`, 'POST', { body: randomBytes(200) }), wants: [400, 401], says: 'error' },
    { what: 'offloader: sign in of random bytes', send: () => request(`${url}/login`, 'POST', { body: randomBytes(200) }), wants: [400], says: 'error' },
    { what: 'offloader: an unknown address', send: () => request(`${url}/no/such/thing`, 'GET'), wants: [404], says: 'error' },
  ]
}
