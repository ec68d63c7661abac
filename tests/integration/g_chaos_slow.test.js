/* Redis whose answers to very many subscriptions take longer than bus.canary_timeout. */
'use strict';
const { test } = require('node:test');
const assert = require('node:assert');
const net = require('node:net');
const { once } = require('node:events');
const { ask, atEnd, connected, until } = require('./harness');
const { clusterGateway, metrics, ready, startRedis } = require('./cluster_harness');

const ROOMS = 100;    // about 60 bytes of confirmation each
const BYTES = 100;    // that pass every PERIOD: enough for canaries
const PERIOD = 25;    // ms
const TIMEOUT = 1000; // of canaries: the confirmations take half as long again

/* A way to Redis on which answers trickle. */
async function narrow(t, redis) {
  const sockets = new Set();
  const server = net.createServer((down) => {
    const up = net.connect(redis.port, '127.0.0.1');
    let waiting = Buffer.alloc(0);
    const pace = setInterval(() => {
      down.write(waiting.subarray(0, BYTES));
      waiting = waiting.subarray(BYTES);
    }, PERIOD);
    up.on('data', (chunk) => { waiting = Buffer.concat([waiting, chunk]); });
    down.on('data', (chunk) => up.write(chunk));
    for (const [one, other] of [[down, up], [up, down]]) {
      sockets.add(one);
      one.on('error', () => {});
      one.on('close', () => { clearInterval(pace); sockets.delete(one); other.destroy(); });
    }
  });
  atEnd(t, () => {
    server.close();
    for (const s of sockets) s.destroy();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { url: `redis://127.0.0.1:${server.address().port}` };
}

test('subscribing anew may take longer than bus.canary_timeout', async (t) => {
  const redis = await startRedis(t);
  const gw = await clusterGateway(t, await narrow(t, redis), {
    'routes.client_rooms': '*', 'bus.canary_interval': 200, 'bus.canary_timeout': TIMEOUT, 'bus.pending_max_age': 20000,
  });
  await ready(gw);
  const socket = await connected(t, gw);
  for (let i = 0; i < ROOMS; i++) assert.deepEqual(await ask(socket, 'join', `room${i}`), [{ status: 'ok' }]);
  const before = (await metrics(gw)).sum('peal_bus_connects_total');
  const start = Date.now();
  await redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
  await until(() => gw.count(/bus gap ms=/) === 1, 'it hears again', 10000);
  assert.ok(Date.now() - start > TIMEOUT, 'it was slow enough to show something');
  await ready(gw);
  assert.equal((await metrics(gw)).sum('peal_bus_connects_total'), before + 1, 'one new connection was enough');
  assert.deepEqual(await ask(socket, 'message', 'x'), [{ status: 'ok' }]);
});
