/* Three gateways on one Redis, stock clients of both versions and transports on each: every kind of target
 * reaches whom it should, once, wherever they are. */
'use strict';
const { test } = require('node:test');
const assert = require('node:assert');
const { accepted, ask, client, connected, SECRET, token, until } = require('./harness');
const { clusterGateway, startRedis, startSentinels } = require('./cluster_harness');
const { act, allowed, Crowd, everybody, everyKind, fixtures, nobody, ROUTES } = require('./interop_harness');

const BYTES = Buffer.from([0, 1, 2, 0xff, 0x80, 0x1e]);

/* A crowd's usual places: those on gateway 0 and 1 are in "both", the websockets in "fast", one in "one". */
async function takePlaces(sockets) {
  await Promise.all(sockets.map(async (s) => {
    if (s.g < 2) await allowed(s, 'join', 'both');
    if (s.k % 2 === 0) await allowed(s, 'join', 'fast');
    if (s === sockets[7]) await allowed(s, 'join', 'one');
  }));
}
const inBoth = (s) => s.g < 2;
const isFast = (s) => s.k % 2 === 0;

async function checkTargets(sockets, crowd) {
  const [first] = sockets;
  const last = sockets.at(-1);
  await allowed(first, 'message', 'to all', { n: 1 });
  await crowd.heard(everybody, ['message', 'to all', { n: 1 }]);
  await allowed(last, 'others', 2);
  await crowd.heard((s) => s !== last, ['others', 2]);
  await allowed(sockets[2], 'say', 'fast', 3);
  await crowd.heard(isFast, ['say', 'fast', 3]);
  await act(last, 'emit', { rooms: ['one'] }, ['r1', 4]);
  await crowd.heard((s) => s === sockets[7], ['r1', 4]);
  await act(last, 'emit', { rooms: ['both', 'fast', 'nowhere'] }, ['r2', 5]);
  await crowd.heard((s) => inBoth(s) || isFast(s), ['r2', 5]);
  await act(first, 'emit', { rooms: ['both'], except: ['fast'] }, ['r3', 6]);
  await crowd.heard((s) => inBoth(s) && !isFast(s), ['r3', 6]);
  await act(first, 'emit', { except: ['both', last.id] }, ['r4', 7]);
  await crowd.heard((s) => !inBoth(s) && s !== last, ['r4', 7]);
  await act(first, 'emit', { rooms: ['nowhere'] }, ['r5', 8]);
  await crowd.heard(nobody);
  await act(first, 'emit', { rooms: [last.id] }, ['private', 9]);
  await crowd.heard((s) => s === last, ['private', 9]);
  await act(first, 'emit', { rooms: [last.id, sockets[5].id, 'one'] }, ['privates', 10]);
  await crowd.heard((s) => s === last || s === sockets[5] || s === sockets[7], ['privates', 10]);
  await act(last, 'emit', {}, ['binary', BYTES, { deep: [BYTES, 'x'] }]);
  await crowd.heard(everybody, ['binary', BYTES, { deep: [BYTES, 'x'] }]);
  await act(last, 'emit', { rooms: ['fast'], volatile: true }, ['now', 11]);
  /* A volatile event may be dropped on a busy connection; these are idle. */
  await crowd.heard(isFast, ['now', 11]);
}

for (const subscribe of ['interest', 'everything']) {
  test(`every target, every kind of client, bus.subscribe=${subscribe}`, async (t) => {
    const redis = await startRedis(t);
    const gws = await fixtures(t, redis, { settings: { 'bus.subscribe': subscribe } });
    const sockets = await everyKind(t, gws);
    await takePlaces(sockets);
    await checkTargets(sockets, new Crowd(t, redis, sockets));
  });
}

test('another bus.key: the cluster hears itself and not the others on the same Redis', async (t) => {
  const redis = await startRedis(t);
  const gws = await fixtures(t, redis, { n: 2, settings: { 'bus.key': 'a*b[c]' } });
  const [stranger] = await fixtures(t, redis, { n: 1 });
  const sockets = await everyKind(t, gws);
  const crowd = new Crowd(t, redis, sockets, { key: 'a*b[c]' });
  const outside = new Crowd(t, redis, [await connected(t, stranger)]);
  await allowed(sockets[0], 'message', 1);
  await act(sockets[0], 'emit', { rooms: [sockets.at(-1).id] }, ['private', 2]);
  const logs = await crowd.settle();
  for (const [i, log] of logs.entries()) {
    assert.deepEqual(log, [['message', 1], ...(i === sockets.length - 1 ? [['private', 2]] : [])]);
  }
  await outside.heard(nobody);
});

test("a user's room, by the token's subject", async (t) => {
  const redis = await startRedis(t);
  const gws = await fixtures(t, redis, { settings: { 'auth.mode': 'connect', 'auth.secret': SECRET } });
  const tokens = [await token({ sub: 'ann' }), await token({ sub: 'bob#*?' })];
  const sockets = await everyKind(t, gws, (g, k) => ({ auth: { token: tokens[k % 2] } }));
  const crowd = new Crowd(t, redis, sockets);
  await act(sockets[0], 'emit', { rooms: ['user:ann'] }, ['note', 1]);
  await crowd.heard((s) => s.k % 2 === 0, ['note', 1]);
  await act(sockets[0], 'emit', { rooms: ['user:bob#*?'] }, ['note', 2]);
  await crowd.heard((s) => s.k % 2 === 1, ['note', 2]);
  await act(sockets[0], 'emit', { rooms: ['user:bob'] }, ['note', 3]);
  await crowd.heard(nobody);
});

/* Names that have no place in a URL. */
async function enter(t, gw, nsp) {
  const { io: manager } = client(t, gw, { autoConnect: false });
  const socket = manager.socket(nsp);
  socket.connect();
  await accepted(socket);
  return socket;
}

for (const subscribe of ['interest', 'everything']) {
  test(`namespaces keep to themselves, whatever their names, bus.subscribe=${subscribe}`, async (t) => {
    const redis = await startRedis(t);
    const names = ['/', '/a*b[c]', '/axb', '/chat-1', '/chat-2', '/a', '/a#b'];
    const gws = await fixtures(t, redis, {
      settings: { 'socketio.namespaces': '/,/a*,/chat-*', 'bus.subscribe': subscribe },
    });
    const sets = await Promise.all(names.map((nsp) => Promise.all(gws.map((gw) => enter(t, gw, nsp)))));
    const crowds = sets.map((sockets, i) => new Crowd(t, redis, sockets, { nsp: names[i] }));
    /* "/a" with room "b" and "/a#b" without a room have one channel. */
    for (const sockets of sets) await allowed(sockets[1], 'join', 'b');
    for (const [i, sockets] of sets.entries()) {
      await allowed(sockets[0], 'message', names[i]);
      await act(sockets[2], 'emit', { rooms: ['b'] }, ['room', names[i]]);
      await act(sockets[2], 'emit', { rooms: [sockets[0].id] }, ['private', names[i]]);
    }
    for (const [i, crowd] of crowds.entries()) {
      const [zero, one, two] = await crowd.settle();
      const all = ['message', names[i]];
      assert.deepEqual(zero, [all, ['private', names[i]]], names[i]);
      assert.deepEqual(one, [all, ['room', names[i]]], names[i]);
      assert.deepEqual(two, [all], names[i]);
    }
  });
}

test('several namespaces on one connection', async (t) => {
  const redis = await startRedis(t);
  const gws = await fixtures(t, redis, { n: 2, settings: { 'socketio.namespaces': '/,/a,/b' } });
  const [a] = await Promise.all([connected(t, gws[0], { nsp: '/a', forceNew: false })]);
  const b = a.io.socket('/b');
  await until(() => b.connected, 'the second namespace');
  const other = await connected(t, gws[1], { nsp: '/b' });
  const crowdA = new Crowd(t, redis, [a], { nsp: '/a' });
  const crowdB = new Crowd(t, redis, [b, other], { nsp: '/b' });
  await allowed(other, 'message', 1);
  await crowdB.heard(everybody, ['message', 1]);
  await crowdA.heard(nobody);
});

/* Whatever the way to Redis: two gateways, and what one says the other's client hears. */
async function checkPair(t, redis, settings) {
  const gws = await Promise.all([0, 1].map(() => clusterGateway(t, { settings }, ROUTES)));
  const [a, b] = await Promise.all(gws.map((gw) => connected(t, gw)));
  await allowed(b, 'join', 'r');
  await allowed(a, 'join', 'r');
  for (const [i, s] of [a, b].entries()) {
    const both = [a, b].map((x) => new Promise((resolve) => { x.once('say', (...args) => resolve(args)); }));
    assert.deepEqual(await ask(s, 'say', 'r', i), [{ status: 'ok' }]);
    assert.deepEqual(await Promise.all(both), [['r', i], ['r', i]]);
  }
  return gws;
}

test('Redis by Unix socket', async (t) => {
  const redis = await startRedis(t, { socket: true });
  await checkPair(t, redis, { 'redis.url': `unix://${redis.socket}?db=3` });
});

test('Redis with a password', async (t) => {
  const redis = await startRedis(t, { password: 'p@ss:w/rd%' });
  const gws = await checkPair(t, redis, { 'redis.url': redis.url });
  for (const gw of gws) assert.doesNotMatch(gw.log, /p@ss|p%40ss/);
  await checkPair(t, redis, { 'redis.url': `redis://127.0.0.1:${redis.port}`, 'redis.password': 'p@ss:w/rd%' });
});

test('Redis with a user of its access list, who may do no more than needed', async (t) => {
  /* &*: of a pattern Redis wants exactly that pattern to be allowed, and each gateway's has its id. */
  const may = '~socket.io* &* -@all +publish +subscribe +unsubscribe +psubscribe +punsubscribe +pubsub|numsub ' +
    '+set +del +exists +sadd +srem +srandmember +ping +hello +auth +select +client|setname';
  const redis = await startRedis(t, { password: 'admin', users: [`peal on >word ${may}`] });
  await checkPair(t, redis, { 'redis.url': `redis://peal:word@127.0.0.1:${redis.port}/0` });
});

test('gateways with different database numbers are one cluster: channels have no database', async (t) => {
  const redis = await startRedis(t);
  const gws = await Promise.all([2, 5].map((db) => clusterGateway(t, { settings: { 'redis.url': `${redis.url}/${db}` } }, ROUTES)));
  const [a, b] = await Promise.all(gws.map((gw) => connected(t, gw)));
  const crowd = new Crowd(t, redis, [a, b]);
  await allowed(a, 'message', 1);
  await crowd.heard(everybody, ['message', 1]);
});

test('Redis found by Sentinels, with a password', async (t) => {
  const s = await startSentinels(t, { n: 1, password: 'word' });
  await checkPair(t, s.master, s.settings);
});
