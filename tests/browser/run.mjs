// Runs the stories one after another (a machine with two cores cannot play two calls at once) and
// prints how long each took. Arguments: parts of file names; none means all.

import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const here = path.dirname(fileURLToPath(import.meta.url))
const wanted = process.argv.slice(2)
const files = fs.readdirSync(here).sort()
  .filter((name) => name.endsWith('.test.mjs') && (wanted.length === 0 || wanted.some((part) => name.includes(part))))
if (files.length === 0) {
  console.error(`no story matches: ${wanted.join(' ')}`)
  process.exit(2)
}

const failed = []
for (const file of files) {
  const began = Date.now()
  const { status } = spawnSync(process.execPath, ['--test', path.join(here, file)], { stdio: 'inherit', cwd: here })
  const seconds = ((Date.now() - began) / 1000).toFixed(0)
  console.log(`${status === 0 ? 'passed' : 'FAILED'}  ${file}  ${seconds} s`)
  if (status !== 0) failed.push(file)
}
console.log(failed.length === 0 ? `all ${files.length} files passed` : `failed: ${failed.join(', ')}`)
process.exit(failed.length === 0 ? 0 : 1)
