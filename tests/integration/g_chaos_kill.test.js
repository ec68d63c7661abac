/* Connections and processes that end at once, under steady traffic. */
'use strict';
const { test } = require('node:test');
const assert = require('node:assert');
const { connected, until } = require('./harness');
const { cluster, metrics, ready, startRedis } = require('./cluster_harness');
const { startTraffic } = require('./chaos_harness');

const AGAIN = 3000; // ms in which every client must hear again; a connection that ends is noticed at once

const reconnects = async (gws) => Promise.all(gws.map(async (gw) => (await metrics(gw)).sum('peal_bus_connects_total')));

test('CLIENT KILL TYPE pubsub, again and again', async (t) => {
  const redis = await startRedis(t);
  const gws = await cluster(t, redis);
  const traffic = await startTraffic(t, gws);
  const before = await reconnects(gws);
  for (let i = 0; i < 3; i++) {
    assert.ok(await redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub') >= gws.length);
    await traffic.hearsAgain(AGAIN);
    await Promise.all(gws.map((gw) => ready(gw)));
  }
  const after = await reconnects(gws);
  for (const i of gws.keys()) assert.equal(after[i] - before[i], 3, 'one new connection for each that was killed');
  await traffic.judge({ gaps: [3, 3] });
});

test('CLIENT KILL TYPE normal: what was on its way is uncertain, nobody misses anything', async (t) => {
  const redis = await startRedis(t);
  const gws = await cluster(t, redis);
  const traffic = await startTraffic(t, gws);
  for (let i = 0; i < 3; i++) {
    assert.ok(await redis.command('CLIENT', 'KILL', 'TYPE', 'normal') >= gws.length);
    await traffic.hearsAgain(AGAIN);
    await Promise.all(gws.map((gw) => ready(gw)));
  }
  await traffic.judge({ refusals: ['bus_uncertain'] });
});

test('Redis ends a subscriber whose output buffer is full', async (t) => {
  const redis = await startRedis(t);
  const gws = await cluster(t, redis);
  const traffic = await startTraffic(t, gws);
  const limit = (value) => redis.command('CONFIG', 'SET', 'client-output-buffer-limit', value);
  await limit('pubsub 65536 0 0');
  /* Larger than the limit: whoever should get it is closed instead. */
  await redis.command('PUBLISH', 'socket.io#/#', 'x'.repeat(300000));
  await limit('pubsub 33554432 8388608 60');
  await traffic.hearsAgain(AGAIN);
  await traffic.judge({ gaps: [1, 1] });
});

test('a gateway is killed: its clients go on at the others, and those there notice nothing', async (t) => {
  const redis = await startRedis(t);
  const gws = await cluster(t, redis);
  const traffic = await startTraffic(t, gws);
  await gws[0].kill();
  await until(() => traffic.speakers.every((s) => s.gw !== gws[0] && s.socket.connected), 'all have found another gateway');
  await traffic.hearsAgain(AGAIN);
  await traffic.judge({ refusals: ['lost'] });
});

test('bus.gap_event tells clients of a gap, and only then', async (t) => {
  const redis = await startRedis(t);
  const gws = await cluster(t, redis, { n: 2, settings: (i) => ({ 'bus.gap_event': i === 0, 'socketio.namespaces': '/,/other' }) });
  const told = await connected(t, gws[0]);
  const elsewhere = await connected(t, gws[0], { nsp: '/other' });
  const untold = await connected(t, gws[1]);
  const events = [];
  for (const [name, socket] of Object.entries({ told, elsewhere, untold })) {
    socket.onAny((event, ...args) => events.push([name, event, args]));
  }
  await redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
  for (const gw of gws) await gw.line(/bus gap ms=/);
  const ends = [told, untold].map((s) => new Promise((resolve) => { s.once('message', resolve); }));
  await Promise.all(gws.map((gw) => ready(gw)));
  untold.emit('message', 'end');
  await Promise.all(ends);
  await until(() => events.length >= 4, 'the events are there');
  const gaps = events.filter(([, event]) => event === 'bus_gap');
  assert.deepEqual(gaps.map(([name]) => name).sort(), ['elsewhere', 'told']);
  for (const [, , args] of gaps) {
    assert.deepEqual(Object.keys(args[0]), ['ms']);
    assert.ok(Number.isInteger(args[0].ms) && args[0].ms >= 0 && args[0].ms < 10000, JSON.stringify(args));
  }
});
