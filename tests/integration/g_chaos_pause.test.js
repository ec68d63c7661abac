/* Redis that says nothing for a while, and Redis that starts anew, under steady traffic. */
'use strict';
const { test } = require('node:test');
const assert = require('node:assert');
const { cluster, metrics, ready, startRedis, unready } = require('./cluster_harness');
const { startTraffic } = require('./chaos_harness');

const DETECTED = 4500; // ms: bus.canary_timeout (3 s), one canary's interval before it, and asking
const AGAIN = 4000; // ms after Redis goes on: pauses between attempts to connect are at most 2 s
const UNSURE = ['bus_uncertain', 'bus_unavailable'];

const all = (gws, what, ...args) => Promise.all(gws.map((gw) => what(gw, ...args)));

test('Redis is stopped (SIGSTOP) for longer than bus.canary_timeout', async (t) => {
  const redis = await startRedis(t);
  const gws = await cluster(t, redis);
  const traffic = await startTraffic(t, gws);
  await redis.pause();
  const red = await all(gws, unready, DETECTED);
  for (const r of red) assert.equal(r.status, 503, r.body);
  await traffic.goesOn(1000);
  redis.resume();
  await traffic.hearsAgain(AGAIN);
  await all(gws, ready, AGAIN);
  await traffic.judge({ refusals: UNSURE, gaps: [1, 1] });
});

test('DEBUG SLEEP 4', async (t) => {
  const redis = await startRedis(t);
  const gws = await cluster(t, redis);
  const traffic = await startTraffic(t, gws);
  const asleep = redis.command('DEBUG', 'SLEEP', '4');
  await all(gws, unready, DETECTED);
  await asleep;
  await traffic.hearsAgain(AGAIN);
  await all(gws, ready, AGAIN);
  await traffic.judge({ refusals: UNSURE, gaps: [1, 1] });
});

test('a pause that is shorter than the time-outs costs nothing', async (t) => {
  const redis = await startRedis(t);
  const gws = await cluster(t, redis);
  const traffic = await startTraffic(t, gws);
  await redis.command('DEBUG', 'SLEEP', '1');
  await traffic.hearsAgain(1000);
  await traffic.judge();
  for (const gw of gws) assert.equal((await metrics(gw)).sum('peal_bus_canaries_late_total'), 0);
});

test('Redis is killed and starts again a second later: what is said meanwhile is kept and heard once', async (t) => {
  const redis = await startRedis(t);
  const gws = await cluster(t, redis);
  const traffic = await startTraffic(t, gws);
  await redis.kill();
  const gone = Date.now();
  await all(gws, unready, 2000);
  await traffic.goesOn(1000);
  await redis.start();
  const back = Date.now();
  await traffic.hearsAgain(AGAIN);
  await all(gws, ready, AGAIN);
  await traffic.judge({ refusals: ['bus_uncertain'], gaps: [1, 1] });
  const meanwhile = traffic.outcomes(gone + 200, back);
  assert.deepEqual(Object.keys(meanwhile), ['ok'], JSON.stringify(meanwhile));
});
