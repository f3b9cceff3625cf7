// Recordings and transcripts as the call thread has them.

import fs from 'node:fs'
import path from 'node:path'

import { Miss, until } from './until.mjs'

/** The calls API allows a person one request a second. */
const LOOK_EVERY_MS = 1_100
const PUBLISH_WITHIN_MS = 90_000

/** Waits until the recording state of the channel's call satisfies `wanted`, and returns it. */
export function recordingState(rest, channelId, wanted, { ms = 30_000 } = {}) {
  return until('the state of the recording', async () => {
    const state = (await rest.callIn(channelId))?.recording
    if (state?.err) throw new Error(`the recording failed: ${state.err}`)
    return state && wanted(state) ? state : new Miss(state ?? 'no recording')
  }, { ms, every: LOOK_EVERY_MS })
}

/** Waits for the recording's post in the call thread and downloads its MP4: `{post, file}`. */
export async function publishedRecording(rest, channelId, directory, limits) {
  const [published] = await publishedRecordings(rest, channelId, directory, 1, limits)
  return published
}

/** The same of so many recordings, in the order in which they were handed in. */
export async function publishedRecordings(rest, channelId, directory, count, { ms = PUBLISH_WITHIN_MS } = {}) {
  const posts = await repliesOfType(rest, channelId, 'custom_calls_recording', count, ms)
  return Promise.all(posts.map(async (post, at) => {
    const file = path.join(directory, `recording-${at + 1}.mp4`)
    fs.writeFileSync(file, await rest.file(post.file_ids[0]))
    return { post, file }
  }))
}

/** Waits for the transcript's post in the call thread: `{post, text, vtt}`. */
export async function publishedTranscript(rest, channelId, { ms = PUBLISH_WITHIN_MS } = {}) {
  const [post] = await repliesOfType(rest, channelId, 'custom_calls_transcription', 1, ms)
  const text = (await rest.file(post.file_ids[0])).toString()
  const vtt = (await rest.file(post.props.captions[0].file_id)).toString()
  return { post, text, vtt }
}

/**
 * The blocks of a transcript's text file: `[{from, to, speaker, text}]`, times in seconds.
 * A block is `HH:MM:SS -> HH:MM:SS`, the speaker, the text, and an empty line.
 */
export function transcriptBlocks(text) {
  return text.trim().split(/\n\s*\n/).map((block) => {
    const [times, speaker, ...lines] = block.split('\n')
    const match = /^(\d+):(\d\d):(\d\d) -> (\d+):(\d\d):(\d\d)$/.exec(times.trim())
    if (!match) throw new Error(`transcript block without times: \`${block}\``)
    const [fromHours, fromMinutes, fromSeconds, toHours, toMinutes, toSeconds] = match.slice(1).map(Number)
    return {
      from: fromHours * 3600 + fromMinutes * 60 + fromSeconds,
      to: toHours * 3600 + toMinutes * 60 + toSeconds,
      speaker: speaker.trim(),
      text: lines.join(' ').trim(),
    }
  })
}

/** The cues of a WebVTT file: `[{from, to, speaker, text}]`. */
export function vttCues(vtt) {
  if (!vtt.startsWith('WEBVTT')) throw new Error(`not WebVTT: \`${vtt.slice(0, 40)}\``)
  return vtt.split(/\n\s*\n/).flatMap((block) => {
    const match = /(\d+):(\d\d):(\d\d\.\d{3}) --> (\d+):(\d\d):(\d\d\.\d{3})\s*\n([\s\S]*)/.exec(block)
    if (!match) return []
    const [h1, m1, s1, h2, m2, s2] = match.slice(1, 7).map(Number)
    const voice = /^<v ([^>]+)>(?:\([^)]*\))?\s*([\s\S]*)$/.exec(match[7].trim())
    return [{
      from: h1 * 3600 + m1 * 60 + s1,
      to: h2 * 3600 + m2 * 60 + s2,
      speaker: voice?.[1],
      text: (voice?.[2] ?? match[7]).trim(),
    }]
  })
}

async function repliesOfType(rest, channelId, type, count, ms) {
  return until(`${count} of type ${type} in the call thread`, async () => {
    const root = await rest.callPost(channelId)
    const replies = await rest.replies(root.id)
    const found = replies.filter((reply) => reply.type === type && reply.file_ids?.length > 0)
    found.sort((a, b) => a.create_at - b.create_at)
    return found.length >= count ? found : new Miss(replies.map((reply) => reply.type || reply.message))
  }, { ms, every: LOOK_EVERY_MS })
}
