// Hocuspocus without extensions: everybody may enter, documents stay in memory, nothing is logged.

import { Server } from '@hocuspocus/server'

const server = new Server({ address: '127.0.0.1', port: Number(process.argv[2]), quiet: true })
await server.listen()
console.log('listening')
