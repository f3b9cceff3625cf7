// Speech with known text as microphone files, from what tests/fixtures/speech.sh makes.
//
// Two clearly different voices: a made one (flite's `rms`) and studio prompts.

import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'

import { ROOT } from './server.mjs'

const SPEECH = path.join(ROOT, 'target', 'fixtures', 'speech')
const BYTES_PER_MS = 32 // 16 kHz, 16 bit, mono
/** Time for the first track to be negotiated after the microphone opens: nothing is said yet. */
const LEAD_MS = 2_000
const PAUSE_MS = 600
/** Seconds of studio prompts played; all of them would make the story long. */
const PROMPTS_S = 38

/**
 * Writes one microphone file for each of two speakers.
 *
 * @param {string} directory where the files go
 * @returns {{file: string, text: string, seconds: number, sentences: {text: string, start: number, end: number}[], limit: number}[]}
 *   `seconds` from the first to the last word, sentence times in ms from the first word, `limit` the
 *   highest word error rate that tiny.en may have on this voice
 */
export function conversation(directory) {
  fixtures()
  const made = lines('talk.tsv').filter(({ speaker }) => speaker === 'rms')
  const prompts = []
  for (const line of lines('prompts.tsv')) {
    const length = prompts.reduce((sum, { start, end }) => sum + end - start + PAUSE_MS, 0)
    if (length + line.end - line.start <= PROMPTS_S * 1_000) prompts.push(line)
  }
  return [
    { ...write(path.join(directory, 'made.wav'), 'talk-rms.s16', made), limit: 0.08 },
    { ...write(path.join(directory, 'prompts.wav'), 'prompts.s16', prompts), limit: 0.06 },
  ]
}

/** Writes a microphone file of studio prompts in Spanish. */
export function spanish(directory) {
  fixtures()
  return write(path.join(directory, 'spanish.wav'), 'prompts-es.s16', lines('prompts-es.tsv')).file
}

/** Waits without looking at anything: while somebody speaks. */
export function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)))
}

function fixtures() {
  execFileSync('bash', [path.join(ROOT, 'tests', 'fixtures', 'speech.sh')], { stdio: ['ignore', 'ignore', 'inherit'] })
}

function lines(name) {
  return fs.readFileSync(path.join(SPEECH, name), 'utf8').trim().split('\n').map((line) => {
    const [speaker, start, end, text] = line.split('\t')
    return { speaker, start: Number(start), end: Number(end), text }
  })
}

function write(file, source, chosen) {
  const all = fs.readFileSync(path.join(SPEECH, source))
  const gap = Buffer.alloc(PAUSE_MS * BYTES_PER_MS)
  const parts = chosen.flatMap(({ start, end }) => [all.subarray(start * BYTES_PER_MS, end * BYTES_PER_MS), gap])
  const speech = Buffer.concat(parts)
  const pcm = Buffer.concat([Buffer.alloc(LEAD_MS * BYTES_PER_MS), speech, gap])
  execFileSync('ffmpeg', ['-v', 'error', '-y', '-f', 's16le', '-ar', '16000', '-ac', '1', '-i', '-', '-ar', '48000', file], { input: pcm })
  let at = 0
  const sentences = chosen.map(({ start, end, text }) => {
    const sentence = { text, start: at, end: at + end - start }
    at = sentence.end + PAUSE_MS
    return sentence
  })
  return { file, sentences, text: chosen.map(({ text }) => text).join(' '), seconds: (at - PAUSE_MS) / 1_000 }
}
