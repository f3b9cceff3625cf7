// The recordings of the call: which came, what is in them, and what is stated as missing.
//
// In: the call's post, the job services' folders with a manifest of each recording. Out: films on one clock with
// the call. Stated is what a manifest calls a gap; one without an end lasts until the next recording.

import fs from 'node:fs'
import path from 'node:path'

import { probe, tone } from '../../tests/browser/harness/probe.mjs'
import { Miss, until } from '../../tests/browser/harness/until.mjs'
import { isHeard } from './sound.mjs'

const HANDED_IN_WITHIN_MS = 240_000
const LOOK_EVERY_MS = 2_000
/** In seconds: steps in which films are looked at, and how far their clock may be off that of the pages. */
const STEP = 0.25
const OFF = 1
const TONE = 0.02

/** Waits until every recording of the call has come or is given up, and downloads them. */
export async function collectFilms(rest, cluster, callPostId, folder) {
  let last = {}
  await until('every recording has come', async () => {
    last = (await rest.get(`/posts/${callPostId}`)).props.recordings ?? {}
    const open = Object.values(last).filter((entry) => !entry.post_id && !entry.failed_post_id)
    return Object.keys(last).length > 0 && open.length === 0 ? true : new Miss(last)
  }, { ms: HANDED_IN_WITHIN_MS, every: LOOK_EVERY_MS }).catch(() => {})
  const manifests = manifestsOf(cluster)
  const films = await Promise.all(Object.entries(last).map(async ([job, entry]) => {
    if (!entry.file_id) return { job, why: entry.failed_post_id ? await said(rest, entry.failed_post_id) : 'nothing came' }
    const file = path.join(folder, `${job}.mp4`)
    fs.writeFileSync(file, await rest.file(entry.file_id))
    const manifest = manifests.get(job)
    if (!manifest) return { job, why: 'it has no manifest' }
    return { job, file, from: manifest.start_at, span: manifest.span_ms, seconds: probe(file).seconds, gaps: manifest.gaps }
  }))
  return films.sort((a, b) => (a.from ?? Infinity) - (b.from ?? Infinity))
}

async function said(rest, postId) {
  return (await rest.get(`/posts/${postId}`)).message
}

/** Of recordings, by job. */
function manifestsOf({ home, jobServices }) {
  const found = new Map()
  for (const name of jobServices.keys()) {
    for (const file of fs.readdirSync(path.join(home, name), { recursive: true }).filter((one) => path.basename(one) === 'manifest.json')) {
      const manifest = JSON.parse(fs.readFileSync(path.join(home, name, file), 'utf8'))
      if (manifest.kind === 'recording') found.set(manifest.job_id, manifest)
    }
  }
  return found
}

/**
 * What somebody heard in the call and no film has, although nothing says that it is missing: the longest run in
 * seconds, all of it, and what is stated.
 */
export function notInFilms(films, gaps, { speakers, listeners, from, until: end }) {
  const whole = films.filter(({ file }) => file)
  const stated = whole.flatMap((film, index) => {
    const next = whole[index + 1]?.from ?? end
    return film.gaps.map((gap) => [film.from + gap.from_ms, gap.until_ms === null ? next : film.from + gap.until_ms])
  })
  const runs = []
  for (const [hz, speaker] of speakers) {
    const heard = gaps.filter((gap) => gap.speaker === speaker)
    const sounds = whole.map((film) => ({ ...film, steps: tone(film.file, hz, STEP) }))
    let run
    for (let at = from; at + STEP * 1000 <= end; at += STEP * 1000) {
      const [early, late] = [at - OFF * 1000, at + (STEP + OFF) * 1000]
      const isThere = sounds.some((film) => film.steps[Math.floor((at - film.from) / (STEP * 1000))] > TONE)
      const isStated = stated.some(([begin, over]) => begin < late && over > early)
      if (isThere || isStated || late > end || !isHeard(heard, speaker, listeners, early, late)) {
        run = undefined
        continue
      }
      if (!run) {
        run = { speaker, at: (at - from) / 1000, lasts: 0 }
        runs.push(run)
      }
      run.lasts += STEP
    }
  }
  const lasted = stated.map(([begin, over]) => Math.max(0, Math.min(over, end) - begin) / 1000)
  return {
    runs: runs.sort((a, b) => b.lasts - a.lasts),
    longest: Math.max(0, ...runs.map(({ lasts }) => lasts)),
    seconds: runs.reduce((sum, { lasts }) => sum + lasts, 0),
    stated: lasted.reduce((sum, one) => sum + one, 0),
    longestStated: Math.max(0, ...lasted),
  }
}
