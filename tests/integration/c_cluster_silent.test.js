/* Nodes that do not answer: what the others say is given all the same, and who was silent is named. */
'use strict';
const { test } = require('node:test');
const assert = require('node:assert');
const path = require('node:path');
const { ask, atEnd, client, connected, heard, Program, until } = require('./harness');
const { metrics, nodePeer, startRedis } = require('./cluster_harness');
const { act, fixtures, freeze, values } = require('./interop_harness');

const SETTINGS = { 'bus.heartbeat_interval': 100, 'bus.heartbeat_timeout': 30000 };
const SHORT = { timeout: 400 };

async function nodeProgram(t, redis, ...namespaces) {
  const program = new Program(process.execPath, [path.join(__dirname, 'node_peer.js'), redis.url, ...namespaces]);
  atEnd(t, () => program.stop());
  const line = await program.line(/msg=listening/);
  return Object.assign(program, { url: `http://127.0.0.1:${/port=(\d+)/.exec(line)[1]}`, path: '/socket.io/' });
}

async function three(t) {
  const redis = await startRedis(t);
  const gws = await fixtures(t, redis, { settings: { ...SETTINGS, 'socketio.namespaces': '/,/chat-*' } });
  const sockets = await Promise.all(gws.map((gw) => connected(t, gw)));
  const nodes = (await Promise.all(sockets.map((s) => ask(s, 'ask', 'node')))).flat();
  /* Each is known by its heartbeat. */
  await until(async () => (await redis.command('SMEMBERS', 'socket.io-peal-nodes')).length === 3, 'three heartbeats');
  return { redis, gws, sockets, nodes };
}

/* Asks until the first gateway knows its neighbours by name. */
const named = (s, op, n, ...rest) => until(async () => {
  const answer = await act(s, op, ...rest);
  return answer.silent.length === n && answer;
}, `${n} silent gateways are named`, 10000);

const ids = (list) => list.map((s) => s.id).sort();

test('a gateway that stands still is named; the others have their say', async (t) => {
  const { gws, sockets, nodes } = await three(t);
  for (const s of sockets) s.on('q', (cb) => cb(s.id));
  freeze(t, gws[2]);
  const rest = sockets.slice(0, 2);
  const fetched = await named(sockets[0], 'fetch', 1, SHORT);
  assert.deepEqual(values(fetched).map((s) => s.id).sort(), ids(rest));
  assert.deepEqual([fetched.complete, fetched.why, fetched.silent, fetched.unnamed], [false, 'not all nodes have answered', [nodes[2]], 0]);
  for (const op of ['rooms', 'ids']) {
    const answer = await act(sockets[0], op, SHORT);
    assert.deepEqual(values(answer).sort(), ids(rest), op);
    assert.deepEqual([answer.complete, answer.silent, answer.unnamed], [false, [nodes[2]], 0], op);
  }
  const acks = await act(sockets[0], 'broadcast', SHORT, ['q']);
  assert.deepEqual(acks.parts.sort(), ids(rest));
  assert.deepEqual([acks.complete, acks.silent, acks.unnamed], [false, [nodes[2]], 0]);
  const asked = await act(sockets[0], 'server-ask', SHORT, ['x']);
  assert.deepEqual(asked.parts, [{ node: nodes[1] }]);
  assert.deepEqual([asked.complete, asked.silent, asked.unnamed], [false, [nodes[2]], 0]);

  gws[2].child.kill('SIGCONT');
  await until(async () => (await act(sockets[0], 'fetch')).complete, 'all answer again');
  assert.deepEqual(values(await act(sockets[0], 'fetch')).map((s) => s.id).sort(), ids(sockets));
});

test('a Node server that stands still is counted, though it has no name', async (t) => {
  const { redis, gws, sockets, nodes } = await three(t);
  const node = await nodeProgram(t, redis);
  const [a] = sockets;
  const there = await connected(t, node);
  assert.deepEqual(values(await act(a, 'fetch')).map((s) => s.id).sort(), ids([...sockets, there]));
  freeze(t, node);
  const fetched = await act(a, 'fetch', SHORT);
  assert.deepEqual(values(fetched).map((s) => s.id).sort(), ids(sockets));
  assert.deepEqual([fetched.complete, fetched.silent, fetched.unnamed], [false, [], 1]);
  freeze(t, gws[1]);
  const both = await named(a, 'fetch', 1, SHORT);
  assert.deepEqual([both.silent, both.unnamed, both.parts.length], [[nodes[1]], 1, 2]);
});

test('a gateway that is gone is not waited for, whatever its last heartbeat says', async (t) => {
  const { redis, gws, sockets } = await three(t);
  await gws[2].kill();
  await until(async () => await redis.subscribers('socket.io-request#/#') === 2, 'Redis has noticed');
  const answer = await act(sockets[0], 'fetch');
  assert.deepEqual([answer.complete, answer.silent, answer.parts.length], [true, [], 2]);
});

test('junk among the heartbeats hides nobody and costs no connection', async (t) => {
  const { redis, gws, sockets, nodes } = await three(t);
  const big = 'x'.repeat(5000000); // more than an answer may hold
  await redis.command('SADD', 'socket.io-peal-nodes', '', 'big', 'gone', 'l'.repeat(500), '#*?', '\u0000');
  for (const name of ['big', '#*?']) await redis.command('SET', `socket.io-peal-node#${name}`, big);
  await redis.command('SET', 'socket.io-peal-node#odd', 'no JSON');
  await until(async () => await redis.command('SISMEMBER', 'socket.io-peal-nodes', 'gone') === 0, 'who is gone is taken out');
  freeze(t, gws[1]);
  const answer = await named(sockets[0], 'fetch', 1, SHORT);
  assert.deepEqual([answer.silent, answer.unnamed], [[nodes[1]], 0]);
  for (const gw of [gws[0], gws[2]]) assert.equal((await metrics(gw)).sum('peal_bus_disconnects_total'), 0);
});

test('only those are named who were asked', async (t) => {
  const { redis, gws, sockets, nodes } = await three(t);
  const node = await nodeProgram(t, redis, '/chat-1');
  /* Of the namespace are the first gateway, the second and Node; the third has nobody in it. */
  const [a, b] = await Promise.all(gws.slice(0, 2).map((gw) => connected(t, gw, { nsp: '/chat-1' })));
  freeze(t, gws[1]);
  const one = await named(a, 'fetch', 1, SHORT);
  assert.deepEqual([one.silent, one.unnamed], [[nodes[1]], 0]);
  gws[1].child.kill('SIGCONT');
  await until(async () => (await act(a, 'fetch')).complete, 'all answer again');
  freeze(t, node);
  const other = await act(a, 'fetch', SHORT);
  assert.deepEqual([other.silent, other.unnamed], [[], 1]);
  await gws[2].kill();
  const third = await act(a, 'fetch', SHORT);
  assert.deepEqual([third.silent, third.unnamed], [[], 1]);
  assert.ok(b.connected && sockets[0].connected);
});

test('a gateway that ends while it is owed answers of all kinds ends in good order', async (t) => {
  const { redis, gws, sockets } = await three(t);
  const [a, , c] = sockets;
  for (const s of sockets) s.on('q', () => {});
  freeze(t, gws[1]);
  /* Owed by other nodes and by clients. */
  const owed = ['fetch', 'rooms', 'ids', 'server-ask', 'broadcast'];
  for (const op of owed) a.emit('ask', op, { timeout: 60000 }, ['q'], () => {});
  await until(async () => (await metrics(gws[0])).sum('peal_bus_pending') === 0, 'all is on the bus');
  await act(c, 'broadcast', { timeout: 100, rooms: [a.id] }, ['q']);
  /* Owed by Redis, which stands still: counts, publishes, subscriptions, a socket that is let in. */
  await redis.pause();
  atEnd(t, () => redis.resume());
  for (const op of [...owed, 'join', 'emit']) a.emit('ask', op, { targets: ['x'] }, ['q'], () => {});
  a.emit('join', 'fresh', () => {});
  a.emit('say', 'fresh', 1, () => {});
  const late = client(t, gws[0], { nsp: '/chat-new' });
  late.on('connect_error', () => {});
  await heard(late.io, 'open');
  await ask(a, 'ask', 'node');
  await gws[0].stop();
  redis.resume();
  await until(async () => (await act(c, 'fetch', SHORT)).parts.length === 1, 'the others go on');
});

/* About 8 KiB hold some twenty sockets: there is one answer all the same, cut behind a socket. */
test('a list that is too long for the bus is cut, counted and told, and spoils nobody else\'s', async (t) => {
  const redis = await startRedis(t);
  const gws = await fixtures(t, redis, { n: 2, settings: { ...SETTINGS, 'bus.max_message': 8192 } });
  const asker = await connected(t, gws[0]);
  const many = await Promise.all(Array.from({ length: 60 }, () => connected(t, gws[1])));
  const peer = await nodePeer(t, redis);
  const there = await connected(t, peer);
  const known = new Set([...ids(many), asker.id, there.id]);

  const fetched = await act(asker, 'fetch');
  const sockets = values(fetched);
  assert.deepEqual([fetched.complete, fetched.why, fetched.silent, fetched.unnamed], [false, 'not all answers came or fitted', [], 0]);
  assert.ok(sockets.length > 12 && sockets.length < 62, `${sockets.length} sockets`);
  assert.equal(new Set(sockets.map((s) => s.id)).size, sockets.length);
  for (const s of sockets) assert.ok(known.has(s.id) && s.handshake && s.rooms, 'each is whole');
  assert.equal((await metrics(gws[1])).sum('peal_bus_answers_cut_total'), 1);

  /* Node counts answers: it gets one, and its own and the first gateway's are in. */
  const seen = (await peer.io.fetchSockets()).map((s) => s.id);
  assert.ok(seen.length > 12 && seen.includes(asker.id) && seen.includes(there.id));
  /* Ids are short: all of them fit. */
  const all = await act(asker, 'ids');
  assert.deepEqual([all.complete, values(all).length], [true, 62]);
});
