'use strict'
// A Haraka plugin, as an operator would write one: links and a pixel by a body filter and a regular
// expression, with signed tokens. It keeps no record, and does not read its result again.

const { createHmac, randomBytes } = require('node:crypto')

const BASE = 'https://t.example.com'
const KEY = 'k'.repeat(43)
const LINK = /(<a\b[^>]*?\shref\s*=\s*["']?)(https?:[^"'>\s]+)/gi

function token (kind, message, rest = '') {
  const payload = `${message}.${rest}`
  const mac = createHmac('sha256', KEY).update(`${kind}.${payload}`).digest()
  return `${BASE}/${kind}/${payload}.${mac.subarray(0, 16).toString('base64url')}`
}

function track (html) {
  const message = randomBytes(8).toString('base64url')
  const wrapped = html.replace(LINK, (_, before, url) => {
    const target = Buffer.from(url.replaceAll('&amp;', '&'), 'latin1').toString('base64url')
    return before + token('c', message, target)
  })
  const end = wrapped.search(/<\/body/i)
  const pixel = `<img src="${token('o', message)}" width="1" height="1" alt="">`
  return end < 0 ? wrapped + pixel : wrapped.slice(0, end) + pixel + wrapped.slice(end)
}

exports.hook_data = (next, connection) => {
  // Octets in, octets out: Latin-1 keeps those of every charset that has ASCII in it.
  const filter = (type, charset, html) => Buffer.from(track(html.toString('latin1')), 'latin1')
  connection.transaction.add_body_filter('text/html', filter)
  next()
}
