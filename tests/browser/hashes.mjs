// The console's Content-Security-Policy names its one style and its one script by their hashes. `--write` corrects them.

import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'

const file = new URL('../../console/index.html', import.meta.url)

/** The console as it is, and with the hashes that it should have. */
export const pages = () => {
  const page = readFileSync(file, 'utf8')
  const withHash = (text, tag) => {
    const blocks = [...page.matchAll(new RegExp(`<${tag}>([^]*?)</${tag}>`, 'g'))]
    if (blocks.length !== 1) throw new Error(`expected one <${tag}>, found ${blocks.length}`)
    const hash = createHash('sha256').update(blocks[0][1]).digest('base64')
    return text.replace(new RegExp(`(${tag}-src) '[^']*'`), `$1 'sha256-${hash}'`)
  }
  return { page, expected: ['script', 'style'].reduce(withHash, page) }
}

if (process.argv.includes('--write')) writeFileSync(file, pages().expected)
