/* Node's Socket.IO server with the official Redis adapter as a program of its own, for tests that stop it:
 * node node_peer.js <redis url> [namespace…]. Says "listening" when it is counted. */
'use strict';
const { createServer } = require('node:http');
const { createAdapter } = require('@socket.io/redis-adapter');
const { createClient } = require('redis');
const { Server } = require('socket.io');

async function main([url, ...namespaces]) {
  const [pub, sub] = [createClient({ url }), createClient({ url })];
  for (const c of [pub, sub]) c.on('error', () => {});
  await Promise.all([pub.connect(), sub.connect()]);
  const server = createServer();
  const io = new Server(server, { adapter: createAdapter(pub, sub) });
  for (const nsp of namespaces) io.of(nsp);
  await sub.ping();
  server.listen(0, '127.0.0.1', () => process.stderr.write(`msg=listening port=${server.address().port}\n`));
  process.on('SIGTERM', () => process.exit(0));
}

main(process.argv.slice(2));
