// The usual way in JavaScript, as EmailEngine ships it: split the mail, decode the HTML, let a
// regular expression wrap the links, encode it anew as UTF-8, join. No second reading.
//
//   node splitter.mjs MODULES FILE ROUNDS   prints the milliseconds of each round, one a line

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const [modules, file, rounds] = process.argv.slice(2)
const { Splitter, Rewriter, Joiner } = createRequire(join(modules, 'x.js'))('@zone-eu/mailsplit')
const LINK = /(<a[^>]* href\s*=[\s"']*)(http[^"'>\s]+)/gi
const URL_END = 'x'.repeat(60)

function track(html) {
  const wrapped = html.replace(LINK, (_, before, url) => {
    const target = Buffer.from(url.replaceAll('&amp;', '&')).toString('base64url')
    return `${before}https://t.example.com/c/${target}${URL_END}`
  })
  const end = wrapped.search(/<\/body/i)
  const pixel = `<img src="https://t.example.com/o/${URL_END}" width="1" height="1" alt="">`
  return end < 0 ? wrapped + pixel : wrapped.slice(0, end) + pixel + wrapped.slice(end)
}

function rewrite(raw) {
  return new Promise((resolve, reject) => {
    const rewriter = new Rewriter(node => node.contentType === 'text/html')
    rewriter.on('node', ({ node, decoder, encoder }) => {
      const chunks = []
      decoder.on('data', chunk => chunks.push(chunk))
      decoder.on('end', () => {
        node.setCharset('utf-8')
        encoder.end(Buffer.from(track(Buffer.concat(chunks).toString('utf-8'))))
      })
    })
    const splitter = new Splitter()
    const out = []
    const joiner = splitter.pipe(rewriter).pipe(new Joiner())
    joiner.on('data', chunk => out.push(chunk))
    joiner.on('end', () => resolve(Buffer.concat(out)))
    joiner.on('error', reject)
    splitter.end(raw)
  })
}

const raw = readFileSync(file)
for (let round = 0; round < Number(rounds); round++) {
  const began = process.hrtime.bigint()
  const rewritten = await rewrite(raw)
  console.log(Number(process.hrtime.bigint() - began) / 1e6)
  if (!rewritten.includes('t.example.com') && !/base64/i.test(raw)) throw new Error('not rewritten')
}
