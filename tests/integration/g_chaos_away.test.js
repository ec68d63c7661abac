/* Redis that stays away: what is kept, what is refused, and that a refusal is the truth. */
'use strict';
const { test } = require('node:test');
const assert = require('node:assert');
const { accepted, ask, client, connected, heard, inbox, until } = require('./harness');
const { cluster, clusterGateway, metrics, ready, startRedis, tap, unready } = require('./cluster_harness');
const { startTraffic } = require('./chaos_harness');

const OK = [{ status: 'ok' }];
const AGAIN = 4000;

test('away for longer than bus.pending_max_age: refused in the ack, in time, and heard by nobody', async (t) => {
  const redis = await startRedis(t);
  const gws = await cluster(t, redis, { settings: { 'bus.pending_max_age': 1000 } });
  const traffic = await startTraffic(t, gws);
  await redis.kill();
  const gone = Date.now();
  await traffic.goesOn(4000);
  const late = traffic.outcomes(gone + 200, Date.now() - 2500);
  assert.deepEqual(Object.keys(late), ['bus_unavailable'], JSON.stringify(late));
  for (const m of traffic.sent.values()) {
    if (m.outcome === 'bus_unavailable') assert.ok(m.ended - m.at < 2000, `refused after ${m.ended - m.at} ms`);
  }
  await redis.start();
  await traffic.hearsAgain(AGAIN);
  await traffic.judge({ refusals: ['bus_uncertain', 'bus_unavailable'], gaps: [1, 1] });
  for (const gw of gws) {
    const m = await metrics(gw);
    assert.equal(m.sum('peal_bus_pending'), 0);
    assert.equal(m.sum('peal_bus_pending_bytes'), 0);
  }
});

test('more than bus.pending_max_bytes is refused at once, the rest is kept and comes in order', async (t) => {
  const redis = await startRedis(t);
  const [gw] = await cluster(t, redis, { n: 1, settings: { 'bus.pending_max_bytes': 65536, 'bus.pending_max_age': 30000 } });
  const socket = await connected(t, gw);
  const box = inbox(socket, 'message');
  assert.deepEqual(await ask(socket, 'message', 'first'), OK);
  assert.deepEqual(await box.next(), ['first']);
  await redis.kill();
  await unready(gw);
  const answers = [];
  for (let i = 0; i < 20; i++) socket.emit('message', i, 'x'.repeat(10000), (a) => answers.push({ i, ...a }));
  await until(() => answers.length >= 14, 'those too many are refused');
  for (const a of answers) assert.equal(a.code, 'bus_unavailable', JSON.stringify(a));
  const refused = answers.map((a) => a.i);
  assert.ok(refused.length <= 15, `6 of 10 KB fit: ${refused}`);
  const held = (await metrics(gw)).sum('peal_bus_pending_bytes');
  assert.ok(held > 50000 && held <= 65536, `${held} bytes wait`);
  const kept = Array.from({ length: 20 }, (_, i) => i).filter((i) => !refused.includes(i));
  await redis.start();
  for (const i of kept) assert.equal((await box.next(AGAIN))[0], i);
  await until(() => answers.length === 20, 'those that were kept are acked');
  assert.deepEqual(answers.slice(refused.length).map((a) => [a.i, a.status]), kept.map((i) => [i, 'ok']));
  assert.deepEqual(await ask(socket, 'message', 'last'), OK);
  assert.deepEqual(await box.next(), ['last'], 'once each, and nothing that was refused');
});

test('too large: refused in the ack, nothing gets to Redis, and what is taken is also heard', async (t) => {
  const redis = await startRedis(t);
  const gws = await cluster(t, redis, { n: 2, settings: { 'bus.max_message': 4096 } });
  const socket = await connected(t, gws[0]);
  const boxes = [inbox(socket, 'message'), inbox(await connected(t, gws[1]), 'message')];
  const published = [];
  await tap(t, redis, 'socket.io#*', (m) => published.push(m));
  const refused = [];
  const sizes = [10, 3000, ...Array.from({ length: 48 }, (_, i) => 3950 + 4 * i), 5000, 500000, 20];
  for (const size of sizes) {
    const [answer] = await ask(socket, 'message', size, 'x'.repeat(size));
    if (answer.status === 'ok') {
      for (const box of boxes) assert.equal((await box.next())[0], size, 'what was taken is heard');
    } else {
      assert.equal(answer.code, 'too_large', JSON.stringify(answer));
      refused.push(size);
    }
  }
  assert.ok(refused.includes(5000) && refused.includes(500000) && !refused.includes(3950), String(refused));
  assert.ok(refused.every((size, i) => i === 0 || size > refused[i - 1]));
  assert.equal((await ask(socket, 'message', Buffer.alloc(5000)))[0].code, 'too_large');
  assert.deepEqual(await ask(socket, 'message', 'end'), OK);
  for (const box of boxes) assert.deepEqual(await box.next(), ['end']);
  await until(() => published.some((m) => m.message.includes('end')), 'the last one is published');
  for (const m of published) assert.ok(m.message.length <= 4096, `${m.message.length} bytes got to Redis`);
  assert.equal(published.length, sizes.length - refused.length + 1);
});

test('a gateway that starts without Redis says so, takes clients, and is ready when Redis comes', async (t) => {
  const redis = await startRedis(t);
  await redis.stop();
  const gw = await clusterGateway(t, redis);
  const r = await unready(gw);
  assert.match(r.body, /Redis/);
  await redis.start();
  await ready(gw);
  const socket = await connected(t, gw);
  assert.deepEqual(await ask(socket, 'message', 1), OK);
});

test('a client that comes while Redis is away is let in when it is back, and misses nothing from then on', async (t) => {
  const redis = await startRedis(t);
  const gws = await cluster(t, redis, { n: 2, settings: { 'bus.pending_max_age': 20000 } });
  const early = await connected(t, gws[1]);
  await redis.kill();
  await Promise.all(gws.map((gw) => unready(gw)));
  const kept = ask(early, 'message', 'early');
  const late = client(t, gws[0]);
  const box = inbox(late, 'message');
  const inside = accepted(late);
  await until(async () => (await metrics(gws[0])).sum('peal_connections') === 1, 'the client waits at the gateway');
  assert.ok(!late.connected);
  await redis.start();
  await inside;
  assert.deepEqual(await kept, OK);
  await Promise.all(gws.map((gw) => ready(gw)));
  assert.deepEqual(await ask(early, 'message', 'late'), OK);
  await until(() => box.items.some(([text]) => text === 'late'), 'it is heard');
});

test('a client that comes while Redis stays away is sent away, to try again elsewhere', async (t) => {
  const redis = await startRedis(t);
  const [gw] = await cluster(t, redis, { n: 1, settings: { 'bus.pending_max_age': 500 } });
  await redis.kill();
  await unready(gw);
  const socket = client(t, gw, { reconnection: true, reconnectionDelay: 100, reconnectionDelayMax: 100 });
  let connects = 0;
  socket.on('connect', () => connects++);
  await heard(socket.io, 'reconnect_attempt');
  await redis.start();
  await until(() => socket.connected, 'it is let in at last', AGAIN);
  assert.equal(connects, 1);
});
