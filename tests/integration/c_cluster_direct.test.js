/* What workers tell a gateway about its sockets, as they tell it: MessagePack on the gateway's own channel. */
'use strict';
const { test } = require('node:test');
const assert = require('node:assert');
const { ask, connected, Inbox, inbox, SECRET, token, until, within } = require('./harness');
const { metrics, redisClient, startProxy, startRedis } = require('./cluster_harness');
const { act, fixtures, notepack, values } = require('./interop_harness');

const [ACK, JOIN, LEAVE, DISCONNECT, DATA, , , SYNC, SYNCED] = Array.from({ length: 9 }, (_, i) => i);
const ROUNDS = 100;
const channel = (uid) => `socket.io-peal-direct#${uid}`;

/* Speaks for a worker named "tester"; what is told to it comes into its box. */
class Tester {
  static async open(t, redis) {
    const tester = new Tester();
    tester.box = new Inbox('direct messages');
    tester.client = await redisClient(t, redis);
    const sub = await redisClient(t, redis);
    await sub.subscribe(channel('tester'), (m) => tester.box.put(notepack.decode(m)), true);
    return tester;
  }
  /* How many have heard it. */
  tell(uid, ...commands) {
    return this.client.publish(channel(uid), Buffer.concat(commands.map((c) => notepack.encode(c))));
  }
}

/* Gateways count their sockets: each has one client, whose socket is the first. */
const socket = (s) => ['/', s.id, 1];
const uidOf = async (s) => (await ask(s, 'ask', 'node'))[0];
const sum = async (gw, name) => (await metrics(gw)).sum(name);

async function scene(t, settings = {}, options = {}) {
  const redis = await startRedis(t);
  const gws = await fixtures(t, redis, { n: 2, settings });
  const sockets = await Promise.all(gws.map((gw) => connected(t, gw, options)));
  return { redis, gws, sockets, tester: await Tester.open(t, redis), uids: await Promise.all(sockets.map(uidOf)) };
}

test('an event is answered, with binary', async (t) => {
  const { sockets: [a], tester, uids: [uid] } = await scene(t);
  const taken = a.ids; // of acks, as the client counts them
  const answer = new Promise((resolve) => { a.emit('work', 1, (...args) => resolve(args)); });
  const json = '[{"ok":true},{"_placeholder":true,"num":0},12345678901234567890]';
  assert.equal(await tester.tell(uid, [ACK, ...socket(a), taken, json, [Buffer.from('\0\u0001')]]), 1);
  const [ok, binary, big] = await within(answer, 'the ack');
  assert.deepEqual(ok, { ok: true });
  assert.deepEqual([...binary], [0, 1]);
  assert.equal(big, 12345678901234567890);
});

/* The gateway is 5 ms from Redis: what is published too early, it does not hear. */
test('once a join is said to be heard, what is published to the room is', async (t) => {
  const redis = await startRedis(t);
  const proxy = await startProxy(t, redis);
  proxy.delay = 5;
  const [gw] = await fixtures(t, { settings: { 'redis.url': proxy.url } }, { n: 1 });
  const a = await connected(t, gw);
  const uid = await uidOf(a);
  const tester = await Tester.open(t, redis);
  const box = inbox(a, 'news');
  for (let i = 0; i < ROUNDS; i++) {
    await tester.tell(uid, [JOIN, ...socket(a), [`r${i}`, 'all']], [SYNC, 'tester', i]);
    assert.deepEqual(await tester.box.next(), [SYNCED, i]);
    await tester.client.publish(`socket.io#/#r${i}#`, notepack.encode(['x', { type: 2, data: ['news', i], nsp: '/' }, { rooms: [`r${i}`] }]));
    assert.deepEqual(await box.next(), [i]);
    await tester.tell(uid, [LEAVE, ...socket(a), [`r${i}`]]);
  }
  await until(async () => await redis.subscribers('socket.io#/#r0#') === 0, 'the room is left');
  assert.equal(await redis.subscribers('socket.io#/#all#'), 1);
});

test('data are seen by other nodes, beside who the user is', async (t) => {
  const jwt = await token({ sub: 'ann' });
  const { sockets: [a, b], tester, uids: [uid] } = await scene(t, { 'auth.secret': SECRET, 'auth.mode': 'connect' }, { auth: { token: jwt } });
  const data = async () => values(await act(b, 'fetch', { rooms: [a.id] }))[0].data;
  assert.deepEqual(await data(), { user: 'ann' });
  const steps = [['{ "nick": "x" }', { user: 'ann', nick: 'x' }], [' {} ', { user: 'ann' }], ['{"user":"me"}', { user: 'me' }],
    ['[1]', [1]], ['null', { user: 'ann' }]];
  for (const [json, want] of steps) {
    await tester.tell(uid, [DATA, ...socket(a), json], [SYNC, 'tester', 1]);
    await tester.box.next();
    assert.deepEqual(await data(), want);
  }
});

test('what cannot be carried out is counted', async (t) => {
  const { gws: [gw], sockets: [a], tester, uids: [uid] } = await scene(t, { 'socketio.max_rooms': 2 });
  const [nsp, id, serial] = socket(a);
  await tester.tell(uid, [JOIN, nsp, id, serial, ['r1', 'r2', 'r3', 'a\nb']], [DATA, nsp, id, serial + 1, '1'], [DATA, nsp, 'x', serial, '1'],
    [DATA, nsp, id, serial, `"${'x'.repeat(65536)}"`], [JOIN, nsp, id, serial, 'r1'], [DISCONNECT, nsp, id, serial, true]);
  await until(async () => await sum(gw, 'peal_node_cmds_bad_total') === 1, 'the malformed one is counted');
  assert.equal(await sum(gw, 'peal_node_cmds_total'), 2);
  assert.equal(await sum(gw, 'peal_node_cmds_void_total'), 2);
  assert.equal(await sum(gw, 'peal_node_cmds_refused_total'), 3);
  assert.equal(await sum(gw, 'peal_bus_direct_total'), 1);
  assert.deepEqual((await act(a, 'rooms')).parts[0].filter((r) => r !== a.id).sort(), ['r1', 'r2']);
});

test('a socket is disconnected, and the other gateway hears nothing of it', async (t) => {
  const { gws, sockets: [a, b], tester, uids: [uid, other] } = await scene(t);
  const gone = new Promise((resolve) => { a.on('disconnect', resolve); });
  await tester.tell(uid, [DISCONNECT, ...socket(a), false], [SYNC, 'tester', 7]);
  assert.equal(await within(gone, 'the end'), 'io server disconnect');
  assert.deepEqual(await tester.box.next(), [SYNCED, 7]);
  assert.ok(b.connected);
  assert.equal(await sum(gws[1], 'peal_bus_direct_total'), 0);
  assert.equal(await tester.tell('nobody', [SYNC, 'tester', 1]), 0);
  assert.notEqual(uid, other);
});
