// A siege: a recorded call of real browsers over three media nodes, two signalling processes, two job
// services, NATS, PostgreSQL and nginx, all on this machine, while one process of each kind is killed in turn,
// and then each is stopped in order and started anew.
//
// `node siege.mjs [--minutes 5] [--every 20] [--people 4] [--report FILE]`: so long for each half, a process
// every so many seconds, so many people beside the two with browsers of their own. Binaries: those beside
// PARLEY_BIN. Exit code 0 only if every must holds.

import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'

import { CHANNEL } from '../../tests/browser/harness/channel.mjs'
import { Cluster } from '../../tests/browser/harness/cluster.mjs'
import { recordingState } from '../../tests/browser/harness/recordings.mjs'
import { Rest } from '../../tests/browser/harness/rest.mjs'
import { pause } from '../../tests/browser/harness/speech.mjs'
import { Blows, ENDS_WITHIN_MS } from './blows.mjs'
import { Chat } from './chat.mjs'
import { collectFilms, notInFilms } from './films.mjs'
import { People } from './people.mjs'
import { Rows } from './rows.mjs'
import { afterBlows, gapsOf } from './sound.mjs'

/** Carried by two processors beside everything else; each further one is a page with media of its own. */
const PEOPLE = 4
/** What is heard while nothing happens, for comparison: a machine that is too busy has gaps of its own. */
const CALM_MS = 10_000
/** After the last blow: what is to come back has done so. */
const SETTLE_MS = 15_000
/** People of a media node that died or went are back within this; a new leader is there within that. */
const BACK_WITHIN_S = 3
const LEADER_WITHIN_S = 5
/** A shorter gap is none: looks are 40 ms apart, and each looks at 43 ms of sound. */
const NO_GAP_S = 0.25
/** Not stated and yet not in a film; a stated gap may begin a second late (`offloader/src/finish/gaps.rs`). */
const NOT_RECORDED_S = 1

const options = wished()
// Nothing is transcribed: speech would take the processors that browsers need here.
process.env.PARLEY_MODELS = path.join(os.tmpdir(), 'siege-without-models')
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'siege-'))
const rows = new Rows()
const opened = {}
const stop = async () => {
  opened.chat?.stop()
  opened.blows?.end()
  await opened.people?.close()
  await opened.cluster?.stop({ failed: !rows.hold })
  fs.rmSync(scratch, { recursive: true, force: true, maxRetries: 5 })
}
process.once('SIGINT', () => void stop().finally(() => process.exit(130)))
await attempt('the siege', siege)
await stop()
rows.print()
if (options.report) fs.writeFileSync(options.report, JSON.stringify({ options, ...rows.all(), ...opened.facts }, null, 2))
process.exit(rows.hold ? 0 : 1)

function wished() {
  const { values } = parseArgs({ options: {
    minutes: { type: 'string', default: '5' },
    every: { type: 'string', default: '20' },
    people: { type: 'string', default: String(PEOPLE) },
    report: { type: 'string' },
  } })
  const number = (name) => {
    const value = Number(values[name])
    if (!(value > 0)) throw new RangeError(`--${name} ${values[name]}: must be a number above 0`)
    return value
  }
  return { minutes: number('minutes'), every: number('every'), people: number('people'), report: values.report }
}

/** What fails is a row that misses: what was measured before it is told all the same. */
async function attempt(what, act) {
  try {
    return await act()
  } catch (error) {
    console.error(error)
    rows.must(`${what} could not be carried through`, 1, 'times', 0, error.message.split('\n')[0])
    return undefined
  }
}

function say(text) {
  console.log(`${new Date().toISOString().slice(11, 19)}  ${text}`)
}

async function siege() {
  const names = ['anna', 'ben', ...Array.from({ length: options.people }, (_, index) => `person${index + 1}`)]
  say(`a cluster is started for ${names.length} people`)
  const cluster = opened.cluster = await Cluster.start('siege', {
    media: ['one', 'two', 'three'], fronts: ['left', 'right'], people: names, records: 2, keepsJobs: true,
    // Half of the call on one node, the rest and the recorder on a second; whoever loses its own goes to the third.
    callSessions: Math.ceil((names.length + 1) / 2),
  })
  const people = opened.people = new People(cluster, scratch, say)
  await people.enter()
  const rest = await direct(cluster)
  const { id: channelId } = await rest.channel(CHANNEL)
  const before = await rest.callIn(channelId)
  const callPost = await rest.callPost(channelId)
  const [anna] = people.all
  await anna.at('record-start').click()
  await anna.at('question-yes').click() // without a transcript
  const { start_at: recordedFrom } = await recordingState(rest, channelId, ({ start_at: at }) => at > 0, { ms: 60_000 })
  await people.watch()
  const chat = opened.chat = await Chat.begin(cluster, channelId)
  say(`all are in the call, and it is recorded; ${CALM_MS / 1000} s pass`)
  await pause(CALM_MS)

  const blows = opened.blows = new Blows(cluster, people, say)
  for (const how of ['kill', 'drain']) {
    await blows.rain(how, options)
  }
  await pause(SETTLE_MS)
  const looks = await people.look({ andBringBack: false })
  chat.stop()
  const watchedUntil = Date.now()
  say('it is over; what is left is looked at')

  const gaps = gapsOf(looks, people.speakers, watchedUntil)
  opened.facts = { blows: blows.all, gaps, surprises: blows.surprises, thrownOut: people.thrownOut, chat: chat.facts() }
  tellSound(gaps, blows.all, people)
  const late = blows.all.filter(({ isLate }) => isLate)
  rows.must(`stopped in order and not over within ${ENDS_WITHIN_MS / 1000} s`, late.length, 'processes', 0, late.map(({ kind, name }) => `${kind}, ${name}`).join('; '))
  await attempt('the look at the people', async () => tellPeople(looks, people, await counted(cluster, channelId, people), before))
  await attempt('the look at the chat', () => tellChat(chat, people))
  const leftAt = await people.leave()
  await attempt('the look at the recordings', async () => {
    const films = await collectFilms(await direct(cluster), cluster, callPost.id, scratch)
    opened.facts.films = films.map(({ file, ...facts }) => facts)
    tellFilms(films, gaps, { people, recordedFrom, leftAt })
  })
  rows.told('ended by themselves and were started again', blows.surprises.length, 'processes', blows.surprises.map(({ name, at }) => `${name} ${blows.when(at)}`).join(', '))
}

/** The API past nginx: of whichever signalling process answers. */
async function direct(cluster) {
  let last
  for (const { port } of cluster.fronts.values()) {
    try {
      return await Rest.signIn(`http://127.0.0.1:${port}`, cluster.accounts[0])
    } catch (error) {
      last = error
    }
  }
  throw last
}

/** The call as the server has it, and the ids of these people. */
async function counted(cluster, channelId, people) {
  const rest = await direct(cluster)
  const call = await rest.callIn(channelId)
  const users = await Promise.all(people.all.map(({ username }) => rest.get(`/users/username/${username}`)))
  return { call, ids: users.map(({ id }) => id) }
}

function tellSound(gaps, blows, people) {
  const seconds = (ms) => ms / 1000
  const { calm, after } = afterBlows(gaps, blows)
  rows.told('longest gap before anything was killed', seconds(Math.max(0, ...calm.map(({ ms }) => ms))), 's')
  for (const [how, word] of [['kill', 'killed'], ['drain', 'drained']]) {
    const { back, others } = after(how)
    const times = back.map(({ ms }) => ms).sort((a, b) => a - b)
    const of = how === 'kill' ? 'from the kill until its people are heard, and hear, again' : 'longest gap of its people'
    rows.must(`media node ${word}: ${of}`, seconds(times.at(-1) ?? 0), 's', BACK_WITHIN_S,
      `p50 ${seconds(times[Math.floor(times.length / 2)] ?? 0).toFixed(2)} s of ${times.length} gaps, each of one listener and one of ${people.speakers.size} speakers; ${back.filter(({ ms }) => ms > BACK_WITHIN_S * 1000).length} longer than the must`)
    const long = others.filter(({ ms }) => ms > NO_GAP_S * 1000).sort((a, b) => b.ms - a.ms)
    rows.must(`something ${word}: longest gap of everybody else`, seconds(Math.max(0, ...others.map(({ ms }) => ms))), 's', NO_GAP_S,
      `${long.length} longer than the must${long.length > 0 ? `: ${[...new Set(long.map(({ blow }) => `${blow.kind} (${blow.name})`))].join(', ')}` : ''}`)
    const leads = blows.filter((blow) => blow.how === how && blow.leaderMs !== undefined).map(({ leaderMs }) => leaderMs)
    if (leads.length > 0) rows.must(`leader ${word}: until another leads`, seconds(Math.max(...leads)), 's', LEADER_WITHIN_S, `${leads.length} times: ${leads.map((ms) => seconds(ms).toFixed(1)).join(', ')}`)
  }
}

function tellPeople(looks, people, { call, ids }, before) {
  const out = people.thrownOut
  rows.must('found outside the call', out.length, 'times', 0, out.map(({ name, ending }) => `${name}: ${ending}`).join(', '))
  const gone = looks.filter(({ inCall }) => !inCall)
  rows.must('out of the call for good', gone.length, 'people', 0, gone.map(({ name }) => name).join(', '))
  const deaf = looks.flatMap(({ name, noted }) => [...people.speakers].filter(([hz, speaker]) => speaker !== name && noted?.[hz]?.isAway !== false).map(([, speaker]) => `${name} does not hear ${speaker}`))
  rows.must('not heard by somebody at the end', deaf.length, 'pairs', 0, deaf.join(', '))
  rows.must('another call than at the beginning', call?.id === before.id ? 0 : 1, 'calls', 0)
  const sessions = call?.sessions ?? []
  const wrong = ids.filter((id) => sessions.filter((session) => session.user_id === id).length !== 1)
  rows.must('not in the server\'s list exactly once', wrong.length, 'people', 0, `${sessions.length} sessions, bots included`)
}

async function tellChat(chat, people) {
  const { lost, twice, reactionsLost, note } = await chat.check()
  rows.must('messages acknowledged and not there', lost.length, 'messages', 0, note)
  rows.must('messages there twice', twice.length, 'messages', 0)
  rows.must('reactions acknowledged and not there', reactionsLost.length, 'reactions', 0, `of ${chat.reactions.length}`)
  const blind = await people.withoutText(chat.lastAcknowledged)
  rows.must('pages without the last message', blind.length, 'pages', 0, blind.join(', '))
  rows.told('longest time without a message acknowledged', chat.longestSilence() / 1000, 's', 'one a second is sent')
}

function tellFilms(films, gaps, { people, recordedFrom, leftAt }) {
  const failures = films.filter(({ file }) => !file)
  rows.must('recordings that did not come', failures.length, 'recordings', 0, `of ${films.length}${failures.map(({ why }) => `; ${why}`).join('')}`)
  const { longest, seconds, stated, longestStated, runs } = notInFilms(films, gaps, { speakers: people.speakers, listeners: people.names, from: recordedFrom, until: leftAt })
  rows.must('heard in the call, and neither in a film nor stated as missing: longest', longest, 's', NOT_RECORDED_S,
    `${seconds.toFixed(1)} s in all, of ${((leftAt - recordedFrom) / 1000).toFixed(0)}${runs.length > 0 ? `: ${runs.slice(0, 6).map(({ speaker, at, lasts }) => `${speaker} at ${at.toFixed(0)} for ${lasts.toFixed(1)}`).join(', ')}` : ''}`)
  rows.told('stated as missing', stated, 's', `longest ${longestStated.toFixed(1)} s, ${films.length} recordings`)
}
