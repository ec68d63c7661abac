/* Networks that swallow or delay, between the gateways and Redis, under steady traffic. */
'use strict';
const { test } = require('node:test');
const assert = require('node:assert');
const { readiness, cluster, metrics, ready, startProxy, startRedis, unready } = require('./cluster_harness');
const { gapsOf, startTraffic } = require('./chaos_harness');

const DETECTED = 4500; // ms: bus.canary_timeout (3 s), one canary's interval before it, and asking
const AGAIN = DETECTED + 2000;
const UNSURE = ['bus_uncertain', 'bus_unavailable'];

const all = (gws, what, ...args) => Promise.all(gws.map((gw) => what(gw, ...args)));

/* What swallows is mended long after all is well again: what was given up must not come then. */
for (const [of, refusals, gaps] of [
  ['subscribe', UNSURE, [1, 1]],
  ['publish', UNSURE, [0, 1]],
  ['all', UNSURE, [1, 1]],
]) {
  test(`half-open connections: ${of}`, async (t) => {
    const redis = await startRedis(t);
    const proxy = await startProxy(t, redis);
    const gws = await cluster(t, proxy);
    const traffic = await startTraffic(t, gws);
    proxy.hole(of);
    const start = Date.now();
    await traffic.hearsAgain(AGAIN);
    t.diagnostic(`${of}: all hear again ${Date.now() - start} ms after the cable was pulled`);
    await all(gws, ready);
    await traffic.goesOn(500);
    proxy.heal();
    await traffic.judge({ refusals, gaps });
  });
}

test('one gateway is cut off for a while: it is red, the others do not notice', async (t) => {
  const redis = await startRedis(t);
  const proxy = await startProxy(t, redis);
  const behind = await cluster(t, proxy, { n: 1 });
  const gws = [...behind, ...await cluster(t, redis, { n: 2 })];
  const traffic = await startTraffic(t, gws);
  proxy.hole('all', { lasting: true });
  await unready(gws[0], DETECTED);
  await traffic.goesOn(1000);
  for (const gw of gws.slice(1)) assert.ok((await readiness(gw)).ready);
  proxy.heal();
  await ready(gws[0], AGAIN);
  await traffic.hearsAgain(AGAIN);
  assert.equal(gapsOf(gws[1]).length + gapsOf(gws[2]).length, 0);
  await traffic.judge({ refusals: UNSURE, gaps: [0, 1] });
  assert.equal(gapsOf(gws[0]).length, 1);
});

test('connections that are reset again and again', async (t) => {
  const redis = await startRedis(t);
  const proxy = await startProxy(t, redis);
  const gws = await cluster(t, proxy);
  const traffic = await startTraffic(t, gws);
  for (const of of ['subscribe', 'publish', 'all']) {
    proxy.cut(of);
    await traffic.hearsAgain(AGAIN);
    await all(gws, ready);
  }
  await traffic.judge({ refusals: ['bus_uncertain'], gaps: [2, 3] });
});

test('a network that takes 200 ms each way is slow, not deaf', async (t) => {
  const redis = await startRedis(t);
  const proxy = await startProxy(t, redis);
  const gws = await cluster(t, proxy);
  const traffic = await startTraffic(t, gws);
  const connects = async () => Promise.all(gws.map(async (gw) => (await metrics(gw)).sum('peal_bus_connects_total')));
  const before = await connects();
  proxy.delay = 200;
  for (let i = 0; i < 4; i++) {
    await traffic.goesOn(1000);
    for (const gw of gws) assert.ok((await readiness(gw)).ready, 'green all the time');
  }
  await traffic.hearsAgain(2000);
  await traffic.judge();
  assert.deepEqual(await connects(), before);
  for (const gw of gws) assert.equal((await metrics(gw)).sum('peal_bus_canaries_late_total'), 0);
});
