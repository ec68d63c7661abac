/* The master that Sentinels name changes, under steady traffic. */
'use strict';
const { test } = require('node:test');
const assert = require('node:assert');
const { until } = require('./harness');
const { cluster, ready, startSentinels } = require('./cluster_harness');
const { startTraffic } = require('./chaos_harness');

const UNSURE = ['bus_uncertain', 'bus_unavailable'];
const AGAIN = 8000; // ms: the Sentinels' own time, then connecting

/* Gateways that listen there; Sentinels do, too. */
const subscribed = async (redis) => (await redis.clients()).filter((c) => c.name.startsWith('peal:') && Number(c.sub) > 0).length;

test('the master is killed: all gateways go to the new one and stay there when the old one is back', async (t) => {
  const s = await startSentinels(t, { n: 3, password: 'geheim' });
  const gws = await cluster(t, s);
  assert.equal(await subscribed(s.master), 3);
  const traffic = await startTraffic(t, gws);
  await s.master.kill();
  const start = Date.now();
  await until(async () => await s.masterPort() === s.replica.port, 'the Sentinels have a new master', 20000);
  t.diagnostic(`the Sentinels took ${Date.now() - start} ms`);
  await traffic.hearsAgain(AGAIN);
  await Promise.all(gws.map((gw) => ready(gw)));
  await s.master.start();
  await until(async () => /role:slave/.test(await s.master.command('INFO', 'replication')), 'the old master follows', 20000);
  await traffic.goesOn(1000);
  assert.deepEqual([await subscribed(s.master), await subscribed(s.replica)], [0, 3]);
  await traffic.judge({ refusals: UNSURE, gaps: [1, 2] });
});

test('a failover by order: nobody stays behind at the old master, which is alive and takes messages', async (t) => {
  const s = await startSentinels(t);
  /* They ask the Sentinels at different times: those that go first and those that stay do not hear each
   * other, and that must be counted. */
  const gws = await cluster(t, s, { settings: (i) => ({ 'redis.connect_timeout': i === 2 ? 5000 : 1000 }) });
  const traffic = await startTraffic(t, gws);
  assert.equal(await s.sentinels[0].command('SENTINEL', 'FAILOVER', 'mymaster'), 'OK');
  await until(async () => await s.masterPort() === s.replica.port, 'the Sentinels have a new master', 20000);
  await until(async () => await subscribed(s.replica) === 3 && await subscribed(s.master) === 0, 'all are at the new master', AGAIN);
  await traffic.hearsAgain(AGAIN);
  await Promise.all(gws.map((gw) => ready(gw)));
  await traffic.judge({ refusals: UNSURE, gaps: [1, 3], split: true });
});
