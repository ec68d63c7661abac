/* The notes that gateways keep about themselves in Redis, and what others may leave among them. */
'use strict';
const { test } = require('node:test');
const assert = require('node:assert');
const { ask, connected, until } = require('./harness');
const { cluster, clusterGateway, metrics, startRedis } = require('./cluster_harness');

const NODES = 'socket.io-peal-nodes';
const FAST = { 'bus.heartbeat_interval': 100, 'bus.heartbeat_timeout': 1000 };

test('a note that is far too large hurts nobody, and names without a note are taken out', async (t) => {
  const redis = await startRedis(t);
  const gws = await cluster(t, redis, { n: 2, settings: FAST });
  const socket = await connected(t, gws[0]);
  await redis.command('SET', 'socket.io-peal-node#huge', 'x'.repeat(6000000));
  await redis.command('LPUSH', 'socket.io-peal-node#list', '1');
  await redis.command('SADD', NODES, 'huge', 'list', '', 'y'.repeat(100));
  for (let i = 0; i < 5; i++) { /* each time all names are read, then this one goes */
    await redis.command('SADD', NODES, 'ghost');
    await until(async () => !(await redis.command('SMEMBERS', NODES)).includes('ghost'), 'the ghost is taken out');
    assert.deepEqual(await ask(socket, 'message', i), [{ status: 'ok' }]);
  }
  const left = await redis.command('SMEMBERS', NODES);
  assert.equal(left.filter((id) => id.length === 8).length, 2, String(left));
  for (const gw of gws) assert.equal((await metrics(gw)).sum('peal_bus_disconnects_total'), 0);
});

test('a gateway that ends well takes its note with it, one that is killed is forgotten', async (t) => {
  const redis = await startRedis(t);
  const gws = await cluster(t, redis, { settings: FAST });
  const names = async () => (await redis.command('SMEMBERS', NODES)).length;
  await until(async () => await names() === 3, 'three are there');
  await gws[0].stop();
  assert.equal(await names(), 2);
  await gws[1].kill();
  await until(async () => await names() === 1, 'the other one is missed');
});

test('what Redis refuses beside messages is in the log: notes, canaries', async (t) => {
  for (const rights of ['~elsewhere* &* +@all', '~* &* +@all -publish']) {
    const redis = await startRedis(t, { users: [`default on nopass ${rights}`] });
    const gw = await clusterGateway(t, redis, FAST);
    assert.match(await gw.line(/Redis refuses/), /level=warn msg="Redis refuses: NOPERM /);
  }
});
