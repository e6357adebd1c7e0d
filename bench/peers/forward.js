'use strict'
// A relay of smtp-server and nodemailer, as their documents show them: a message is gathered and
// goes on over one of a pool of connections; the client hears what became of it.
//
//   node forward.js MODULES PORT NEXT_HOP CONNECTIONS

const { createRequire } = require('node:module')
const { join } = require('node:path')

const [modules, port, nextHop, connections] = process.argv.slice(2)
const load = createRequire(join(modules, 'x.js'))
const { SMTPServer } = load('smtp-server')

const transport = load('nodemailer').createTransport({
  host: '127.0.0.1',
  port: Number(nextHop),
  ignoreTLS: true,
  pool: true,
  maxConnections: Number(connections),
  maxMessages: Infinity
})

function onData (stream, { envelope }, done) {
  const chunks = []
  stream.on('data', chunk => chunks.push(chunk))
  stream.on('end', () => {
    const from = envelope.mailFrom.address
    const to = envelope.rcptTo.map(each => each.address)
    transport.sendMail({ envelope: { from, to }, raw: Buffer.concat(chunks) }, error => done(error))
  })
}

new SMTPServer({
  disabledCommands: ['AUTH', 'STARTTLS'],
  disableReverseLookup: true,
  socketTimeout: 600_000,
  onData
}).listen(Number(port), '127.0.0.1')
