/* Handlers in `peal serve`, alone and with Redis, and in peal-worker: C modules that ask the cluster, backends that
 * are asked for events and admissions. */
'use strict';
const { test } = require('node:test');
const assert = require('node:assert');
const { once } = require('node:events');
const http = require('node:http');
const path = require('node:path');
const { accepted, ask, atEnd, client, connected, gateway, metricsBecome, refused, until } = require('./harness');
const { clusterGateway, ready, startRedis } = require('./cluster_harness');
const { leases, startWorker } = require('./work_harness');

const MODULE = path.join(process.env.PEAL_BUILD || path.join(__dirname, '../../build/asan'), 'tests/integration/ask-module.so');
const OPEN = { 'auth.mode': 'none', 'auth.secret': null, 'routes.events': '*=worker' };
const SERVE = { name: 'peal', command: ['serve'] };

/* All partitions are somebody's. */
const leased = (redis) => until(async () => (await leases(redis)).every(Boolean), 'leases', 15000);

/* answer: of an item, an object or undefined; its items are kept. */
async function backend(t, answer) {
  const items = [];
  const server = http.createServer((req, res) => {
    let text = '';
    req.on('data', (d) => { text += d; }).on('end', () => {
      const item = JSON.parse(text);
      items.push(item);
      const said = answer(item);
      res.writeHead(said ? 200 : 204, { 'Content-Type': 'application/json' }).end(said && JSON.stringify(said));
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  atEnd(t, () => {
    server.closeAllConnections();
    return new Promise((resolve) => { server.close(resolve); });
  });
  return { items, url: `http://127.0.0.1:${server.address().port}/peal` };
}

/* What a module asks is answered by all clients of all gateways; the second question by one alone. */
async function asks(t, gws) {
  const sockets = await Promise.all(gws.flatMap((gw) => [connected(t, gw), connected(t, gw)]));
  const bytes = ['bytes', 'more'];
  sockets.forEach((s, i) => s.on('question', (n, answer) => {
    if (n === 1) answer(i < bytes.length && i < sockets.length - 1 ? Buffer.from(bytes[i]) : { n, i });
    else if (!i) answer('here');
  }));
  const [all, nobody, found] = await ask(sockets[0], 'who');
  assert.deepEqual([all, nobody], [true, 0]);
  assert.deepEqual(found.map((f) => f.id).sort(), sockets.map((s) => s.id).sort());
  const binary = bytes.slice(0, sockets.length - 1);
  const [complete, n, answers, texts] = await ask(sockets[1], 'everyone');
  assert.deepEqual([complete, n, answers.length], [true, sockets.length, sockets.length]);
  assert.deepEqual(texts.sort(), binary);
  const [whole, ...rest] = answers.filter(Buffer.isBuffer);
  assert.deepEqual([binary.includes(String(whole)), rest.length], [true, binary.length - 1]);
  const others = answers.filter((a) => a && a.i !== undefined).sort((a, b) => a.i - b.i);
  assert.deepEqual(others, sockets.map((_, i) => ({ n: 1, i })).slice(binary.length));
  assert.deepEqual(await ask(sockets[1], 'some'), [false, 1, ['here'], []]);
}

test('peal serve alone: a module asks clients and fetches sockets', async (t) => {
  const gw = await gateway(t, { ...OPEN, 'worker.modules': MODULE }, SERVE);
  await asks(t, [gw]);
});

test('peal serve with Redis: its module answers the clients of other gateways, too', async (t) => {
  const redis = await startRedis(t);
  const settings = { ...OPEN, 'worker.modules': MODULE };
  const serve = await clusterGateway(t, redis, settings, SERVE);
  const other = await clusterGateway(t, redis, OPEN);
  await Promise.all([ready(serve), ready(other)]);
  await leased(redis);
  await asks(t, [serve, other]);
});

test('peal-worker: a module asks clients of two gateways', async (t) => {
  const redis = await startRedis(t);
  await startWorker(t, 'peal-worker', { 'redis.url': redis.url, 'worker.modules': MODULE });
  const gws = [await clusterGateway(t, redis, OPEN), await clusterGateway(t, redis, OPEN)];
  await Promise.all(gws.map((gw) => ready(gw)));
  await leased(redis);
  await asks(t, gws);
});

/* An event with an ack, and two who want to come in. */
async function asksBackend(t, gw, { items }) {
  const friend = client(t, gw, { auth: { who: 'friend' } });
  await accepted(friend);
  const error = await refused(client(t, gw, { auth: { who: 'stranger' } }));
  assert.deepEqual([error.message, error.data], ['not you', { code: 7 }]);
  const welcome = items.find((i) => i.type === 'connect' && i.auth.who === 'friend');
  assert.deepEqual([welcome.asks, welcome.sid, welcome.nsp], [true, friend.id, '/']);
  assert.deepEqual(await ask(friend, 'sum', 2, 3), [5]);
  friend.disconnect();
  await until(() => items.some((i) => i.type === 'disconnect' && i.sid === welcome.sid), 'its disconnect');
  assert.equal(items.filter((i) => i.type === 'disconnect').length, 1);
}

const judge = (item) => {
  if (item.type === 'event') return { ack: [item.args[0] + item.args[1]] };
  return item.type === 'connect' && item.auth.who !== 'friend' ? { error: { message: 'not you', data: { code: 7 } } } : undefined;
};

/* The worker's numbers are beside the gateway's; two connects, an event and a disconnect were sent. */
const isCounted = (gw) => metricsBecome(gw, {
  'peal_worker_http_ends_total{outcome="done"}': 3, 'peal_worker_http_ends_total{outcome="refused"}': 1,
  peal_worker_items_total: 4, peal_worker_unsendable_total: 0,
});

test('peal serve alone: a backend admits, refuses and answers', async (t) => {
  const b = await backend(t, judge);
  const gw = await gateway(t, { ...OPEN, 'admin.port': 0, 'routes.ask_connect': '/', 'worker.http': JSON.stringify([{ url: b.url }]) }, SERVE);
  await asksBackend(t, gw, b);
  await isCounted(gw);
});

test('peal serve with Redis: a backend admits, refuses and answers', async (t) => {
  const redis = await startRedis(t);
  const b = await backend(t, judge);
  const gw = await clusterGateway(t, redis,
    { ...OPEN, 'admin.port': 0, 'routes.ask_connect': '/', 'worker.http': JSON.stringify([{ url: b.url }]) }, SERVE);
  await ready(gw);
  await leased(redis);
  await asksBackend(t, gw, b);
  await isCounted(gw);
});
