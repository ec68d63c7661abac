/* Beside Node's Socket.IO server with the official Redis adapter: events both ways, and what each side sees
 * of the other's sockets and does to them. */
'use strict';
const { test } = require('node:test');
const assert = require('node:assert');
const { ask, connected, heard, SECRET, token, until, within } = require('./harness');
const { nodePeer, startRedis } = require('./cluster_harness');
const { act, allowed, Crowd, everybody, fixtures, KINDS, nobody, values } = require('./interop_harness');

const BYTES = Buffer.from([0, 1, 2, 0xff, 0x80]);

/* Two gateways and a Node server with a client each; the Node server's clients may join rooms. */
async function mixed(t, { settings = {}, adapter = {}, nsp = '/', clientOptions = {}, everyPeal = [{}, KINDS[1], KINDS[2]] } = {}) {
  const redis = await startRedis(t);
  const gws = await fixtures(t, redis, { n: 2, settings });
  const node = await nodePeer(t, redis, adapter);
  const io = nsp === '/' ? node.io : await node.of(nsp);
  io.on('connection', (s) => s.on('join', (room, done) => { s.join(room); done({ status: 'ok' }); }));
  const peal = await Promise.all(gws.flatMap((gw, g) => everyPeal.map(async (kind) =>
    Object.assign(await connected(t, gw, { ...kind, ...clientOptions, nsp: nsp === '/' ? '' : nsp }), { g }))));
  const nodes = await Promise.all([0, 1].map(async () =>
    Object.assign(await connected(t, node, { nsp: nsp === '/' ? '' : nsp }), { g: 'node' })));
  const sockets = [...peal, ...nodes];
  const crowd = new Crowd(t, redis, sockets, { nsp });
  /* What Node has published is before what is published after this, and Node has seen it itself. */
  const published = async () => {
    await within(node.pub.ping(), 'ping of the Node server');
    await within(node.sub.ping(), 'ping of the Node server');
  };
  return { redis, gws, node, io, peal, nodes, sockets, crowd, published };
}

for (const subscribe of ['interest', 'everything']) {
  test(`events from Node to everybody, bus.subscribe=${subscribe}`, async (t) => {
    const { io, peal, nodes, crowd, published } = await mixed(t, { settings: { 'bus.subscribe': subscribe } });
    for (const s of [peal[0], peal[4], nodes[0]]) await allowed(s, 'join', 'r');
    for (const s of [peal[5], nodes[1]]) await allowed(s, 'join', 'q');
    const inR = (s) => [peal[0], peal[4], nodes[0]].includes(s);
    const fast = [peal[0], peal[2], peal[5], nodes[1]];
    const inQ = (s) => [peal[5], nodes[1]].includes(s);
    const say = async (emit, who, ...seen) => {
      emit();
      await published();
      await crowd.heard(who, ...seen);
    };
    await say(() => io.emit('a', 1, 'two', { three: [null, true, -4.5] }), everybody, ['a', 1, 'two', { three: [null, true, -4.5] }]);
    await say(() => io.to('r').emit('b'), inR, ['b']);
    await say(() => io.to('r').to('q').emit('c'), (s) => inR(s) || inQ(s), ['c']);
    await say(() => io.except('r').emit('d'), (s) => !inR(s), ['d']);
    await say(() => io.to(peal[3].id).emit('e'), (s) => s === peal[3], ['e']);
    /* A polling client between two polls may miss it. */
    await say(() => io.volatile.to(fast.map((s) => s.id)).emit('f'), (s) => fast.includes(s), ['f']);
    await say(() => io.emit('g', BYTES, { deep: BYTES }), everybody, ['g', BYTES, { deep: BYTES }]);
    await say(() => io.local.emit('h'), (s) => nodes.includes(s), ['h']);
    await say(() => io.compress(false).emit('i', 'é\u{1f600}\0'), everybody, ['i', 'é\u{1f600}\0']);
    /* Rooms that are numbers are their digits here. */
    for (const s of [peal[1], peal[2]]) await allowed(s, 'join', '7');
    await say(() => io.to(7).emit('j'), (s) => s === peal[1] || s === peal[2], ['j']);
  });
}

test("values that JSON does not have arrive from Node as JSON.stringify would write them, to Node's and Peal's clients alike", async (t) => {
  const { io, crowd, published } = await mixed(t);
  const date = new Date(1700000000123);
  const odd = [date, undefined, NaN, Infinity, -0, { u: undefined, d: date, n: [undefined, NaN] }, 2 ** 53, -(2 ** 31), 5e-324, 0.1];
  io.emit('odd', ...odd);
  await published();
  await crowd.heard(everybody, ['odd', ...JSON.parse(JSON.stringify(odd))]);
});

for (const subscribe of ['interest', 'everything']) {
  test(`events from Peal to everybody, bus.subscribe=${subscribe}`, async (t) => {
    const { peal, nodes, crowd } = await mixed(t, { settings: { 'bus.subscribe': subscribe } });
    for (const s of [peal[1], peal[4], nodes[0]]) await allowed(s, 'join', 'r');
    for (const s of [peal[5], nodes[1]]) await allowed(s, 'join', 'q');
    const inR = (s) => [peal[1], peal[4], nodes[0]].includes(s);
    const fast = [peal[0], peal[2], peal[5], nodes[1]];
    const inQ = (s) => [peal[5], nodes[1]].includes(s);
    const say = async (emit, who, ...seen) => {
      await emit;
      await crowd.heard(who, ...seen);
    };
    const args = [1, 'two', { three: [null, true, -4.5, 1e300, 2 ** 53, 'é\u{1f600}\0'] }];
    await say(act(peal[0], 'emit', {}, ['a', ...args]), everybody, ['a', ...args]);
    await say(act(peal[0], 'emit', { rooms: ['r'] }, ['b']), inR, ['b']);
    await say(act(peal[0], 'emit', { rooms: ['r', 'q'] }, ['c']), (s) => inR(s) || inQ(s), ['c']);
    await say(act(peal[3], 'emit', { except: ['r'] }, ['d']), (s) => !inR(s), ['d']);
    await say(act(peal[0], 'emit', { rooms: [nodes[1].id] }, ['e']), (s) => s === nodes[1], ['e']);
    await say(act(peal[0], 'emit', { volatile: true, rooms: fast.map((s) => s.id) }, ['f']), (s) => fast.includes(s), ['f']);
    await say(act(peal[0], 'emit', {}, ['g', BYTES, { deep: BYTES }]), everybody, ['g', BYTES, { deep: BYTES }]);
    await say(allowed(peal[2], 'others', 1), (s) => s !== peal[2], ['others', 1]);
  });
}

test('another namespace and another key', async (t) => {
  const { io, peal, nodes, crowd, published } = await mixed(t, {
    settings: { 'bus.key': 'my*app', 'socketio.namespaces': '/,/ch-*' }, adapter: { key: 'my*app' }, nsp: '/ch-1',
  });
  crowd.marker = Promise.resolve(io); // the emitter in crowd has the usual key
  io.emit('a', 1);
  await published();
  await crowd.heard(everybody, ['a', 1]);
  await act(peal[0], 'emit', { rooms: [nodes[0].id] }, ['b', 2]);
  await crowd.heard((s) => s === nodes[0], ['b', 2]);
  const all = await io.fetchSockets();
  assert.deepEqual(all.map((s) => s.id).sort(), [...peal, ...nodes].map((s) => s.id).sort());
});

for (const publishOnSpecificResponseChannel of [false, true]) {
  test(`fetchSockets both ways, publishOnSpecificResponseChannel=${publishOnSpecificResponseChannel}`, async (t) => {
    const jwt = await token({ sub: 'ann' });
    const { io, sockets, peal, nodes } = await mixed(t, {
      settings: { 'auth.mode': 'connect', 'auth.secret': SECRET },
      adapter: { publishOnSpecificResponseChannel }, clientOptions: { auth: { token: jwt } },
    });
    for (const s of [peal[0], peal[3], nodes[0]]) await allowed(s, 'join', 'r"\\é');
    for (const s of await io.local.fetchSockets()) s.data.name = 'node';

    const all = await io.fetchSockets();
    assert.deepEqual(all.map((s) => s.id).sort(), sockets.map((s) => s.id).sort());
    const remote = all.find((s) => s.id === peal[0].id);
    assert.deepEqual([...remote.rooms].sort(), [peal[0].id, 'r"\\é', 'user:ann'].sort());
    assert.deepEqual(remote.data, { user: 'ann' });
    const { handshake } = remote;
    assert.equal(handshake.address, '127.0.0.1');
    assert.deepEqual(Object.keys(handshake).sort(), ['address', 'auth', 'headers', 'issued', 'query', 'secure', 'time', 'url', 'xdomain']);
    assert.ok(Math.abs(handshake.issued - Date.now()) < 60000 && Math.abs(new Date(handshake.time) - Date.now()) < 60000);
    assert.doesNotMatch(JSON.stringify(handshake), new RegExp(jwt.slice(-20)));
    const some = await io.in('r"\\é').fetchSockets();
    assert.deepEqual(some.map((s) => s.id).sort(), [peal[0], peal[3], nodes[0]].map((s) => s.id).sort());
    assert.deepEqual((await io.in('nowhere').fetchSockets()), []);
    assert.deepEqual((await io.except('user:ann').fetchSockets()).map((s) => s.id).sort(), nodes.map((s) => s.id).sort());
    const everyRoom = [...sockets.map((s) => s.id), 'r"\\é', 'user:ann'].sort();
    assert.deepEqual([...await io.of('/').adapter.allRooms()].sort(), everyRoom);
    /* A remote socket is good for what Node offers on it. */
    const note = heard(peal[0], 'note');
    remote.emit('note', 1);
    assert.deepEqual(await note, [1]);

    const answer = await act(peal[0], 'fetch');
    assert.deepEqual([answer.complete, answer.why, answer.silent, answer.unnamed], [true, '', [], 0]);
    assert.equal(answer.parts.length, 3);
    const seen = new Map(values(answer).map((s) => [s.id, s]));
    assert.deepEqual([...seen.keys()].sort(), sockets.map((s) => s.id).sort());
    assert.deepEqual(seen.get(nodes[0].id).data, { name: 'node' });
    assert.deepEqual(seen.get(nodes[0].id).rooms.sort(), [nodes[0].id, 'r"\\é'].sort());
    assert.equal(seen.get(nodes[0].id).handshake.address, '127.0.0.1');
    assert.deepEqual(seen.get(peal[3].id).rooms.sort(), [peal[3].id, 'r"\\é', 'user:ann'].sort());
    const excepted = await act(peal[0], 'fetch', { except: ['user:ann'] });
    assert.deepEqual(values(excepted).map((s) => s.id).sort(), nodes.map((s) => s.id).sort());
    const ids = await act(peal[0], 'ids', { rooms: ['user:ann'] });
    assert.ok(ids.complete, 'a node with no such socket has answered, too');
    assert.deepEqual(values(ids).sort(), peal.map((s) => s.id).sort());
    const rooms = await act(peal[0], 'rooms');
    assert.ok(rooms.complete);
    assert.deepEqual([...new Set(values(rooms))].sort(), everyRoom);
  });
}

test('socketsJoin and socketsLeave both ways', async (t) => {
  const { io, sockets, peal, nodes, crowd, published } = await mixed(t);
  const members = async (room) => (await published(), await io.in(room).fetchSockets()).map((s) => s.id).sort();
  const ids = (list) => list.map((s) => s.id).sort();
  io.socketsJoin(['a', 'b']);
  await published();
  assert.deepEqual([await members('a'), await members('b')], [ids(sockets), ids(sockets)]);
  io.in('a').except([peal[0].id, nodes[0].id]).socketsJoin('c');
  await published();
  assert.deepEqual(await members('c'), ids(sockets.filter((s) => s !== peal[0] && s !== nodes[0])));
  io.in(peal[5].id).socketsLeave(['c', 'never']);
  await published();
  assert.deepEqual(await members('c'), ids(sockets.filter((s) => s !== peal[0] && s !== nodes[0] && s !== peal[5])));

  await act(peal[0], 'join', { rooms: ['c'], targets: ['d', 'e'] });
  await act(peal[0], 'leave', { rooms: ['c'], except: [nodes[1].id], targets: ['c'] });
  await act(peal[0], 'join', { rooms: [peal[0].id], targets: ['c'] });
  /* The outcome is that it is on the bus, and answers come behind it. */
  assert.deepEqual(await members('c'), ids([nodes[1], peal[0]]));
  assert.deepEqual(await members('d'), ids(sockets.filter((s) => s !== peal[0] && s !== nodes[0] && s !== peal[5])));
  io.to('c').emit('x');
  await published();
  await crowd.heard((s) => s === nodes[1] || s === peal[0], ['x']);
});

test('disconnectSockets both ways', async (t) => {
  const { io, peal, nodes } = await mixed(t, { settings: { 'socketio.namespaces': '/,/two' } });
  const reason = (s) => heard(s, 'disconnect').then(([why]) => why);
  /* Another namespace of the same connection stays, unless the connection is closed. */
  const second = peal.map((s) => s.io.socket('/two'));
  await Promise.all(second.map((s) => until(() => s.connected, 'the second namespace')));
  let gone = [reason(peal[0]), reason(nodes[0])];
  await allowed(peal[0], 'join', 'bad');
  await allowed(nodes[0], 'join', 'bad');
  io.in('bad').disconnectSockets();
  assert.deepEqual(await Promise.all(gone), ['io server disconnect', 'io server disconnect']);
  assert.ok(second[0].connected && peal[1].connected);
  gone = [reason(peal[1]), reason(second[1])];
  io.in(peal[1].id).disconnectSockets(true);
  assert.deepEqual(await Promise.all(gone), ['io server disconnect', 'io server disconnect']);
  gone = [reason(nodes[1]), reason(peal[4])];
  await act(peal[2], 'disconnect', { rooms: [nodes[1].id, peal[4].id] });
  assert.deepEqual(await Promise.all(gone), ['io server disconnect', 'io server disconnect']);
  assert.ok(second[4].connected);
  gone = [reason(peal[3]), reason(second[3])];
  await act(peal[2], 'disconnect', { rooms: [peal[3].id], close: true });
  assert.deepEqual(await Promise.all(gone), ['io server disconnect', 'io server disconnect']);
  /* The one who asks, too. */
  gone = Promise.all([reason(peal[2]), reason(peal[5])]);
  peal[2].emit('ask', 'disconnect', {}, [], () => {});
  assert.deepEqual(await gone, ['io server disconnect', 'io server disconnect']);
  assert.deepEqual(await io.fetchSockets(), []);
});

test('serverSideEmit both ways, with and without an answer', async (t) => {
  const { io, node, peal, crowd, published } = await mixed(t, { settings: { 'bus.heartbeat_interval': 100 } });
  const ids = await Promise.all([peal[0], peal[3]].map(async (s) => (await ask(s, 'ask', 'node'))[0]));
  io.serverSideEmit('from node', 1, { two: null });
  await published();
  await crowd.heard((s) => peal.includes(s), ['server-event', ['from node', 1, { two: null }]]);
  const answers = await io.serverSideEmitWithAck('question', 2);
  assert.deepEqual(answers.map((a) => a.node).sort(), [...ids].sort());
  await crowd.heard((s) => peal.includes(s), ['server-event', ['question', 2]]);
  const short = await nodePeer(t, { url: node.pub.options.url }, { requestsTimeout: 300 });
  io.on('silent', () => {});
  await assert.rejects(short.io.serverSideEmitWithAck('silent'), /timeout reached: only 0 responses received out of 3/);
  await crowd.settle();

  const said = within(new Promise((resolve) => { io.once('from peal', (...args) => resolve(args)); }), 'server event at Node');
  await act(peal[0], 'server-emit', {}, ['from peal', 1, { two: [3] }]);
  assert.deepEqual(await said, [1, { two: [3] }]);
  await crowd.heard((s) => s.g === 1, ['server-event', ['from peal', 1, { two: [3] }]]);
  for (const server of [io, short.io]) server.on('how many', (n, cb) => cb(n + 1));
  const asked = await act(peal[0], 'server-ask', {}, ['how many', 41]);
  assert.ok(asked.complete, asked.why);
  assert.deepEqual(asked.parts.map((p) => JSON.stringify(p)).sort(), ['42', '42', `{"node":"${ids[1]}"}`].sort());
  /* Who is there is known from heartbeats. */
  const mute = await until(async () => {
    const answer = await act(peal[0], 'server-ask', { timeout: 300 }, ['silent']);
    return answer.silent.length && answer;
  }, 'a silent gateway is named');
  assert.deepEqual([mute.complete, mute.parts, mute.silent, mute.unnamed], [false, [], [ids[1]], 2]);
  assert.equal(mute.why, 'not all nodes have answered');
});

for (const publishOnSpecificResponseChannel of [false, true]) {
  test(`broadcasts with acks both ways, publishOnSpecificResponseChannel=${publishOnSpecificResponseChannel}`, async (t) => {
    const { io, sockets, peal, nodes, crowd } = await mixed(t, { adapter: { publishOnSpecificResponseChannel } });
    for (const [i, s] of sockets.entries()) {
      s.on('ask', (...args) => { if (typeof args.at(-1) === 'function') args.at(-1)({ i, got: args.slice(0, -1) }, 'dropped'); });
      s.on('bytes', (b, cb) => cb(Buffer.concat([b, Buffer.from([i])])));
      s.on('undefined', (cb) => cb());
      s.on('half', (cb) => { if (i % 2) cb(i); });
    }
    const by = (list) => list.map((a) => a.i).sort();
    const indexes = sockets.map((_, i) => i);
    const fromNode = await io.timeout(3000).emitWithAck('ask', 1, { x: BYTES });
    assert.deepEqual(by(fromNode), indexes);
    for (const a of fromNode) assert.deepEqual(a.got, [1, { x: BYTES }]);
    const bytes = await io.timeout(3000).emitWithAck('bytes', BYTES);
    assert.deepEqual(bytes.map((b) => Buffer.from(b).at(-1)).sort(), indexes);
    for (const b of bytes) assert.deepEqual(Buffer.from(b).subarray(0, -1), BYTES);
    assert.deepEqual((await io.timeout(3000).emitWithAck('undefined')).map((v) => v ?? null), indexes.map(() => null));
    assert.deepEqual(by(await io.in(peal[0].id).timeout(3000).emitWithAck('ask')), [0]);
    assert.deepEqual(await io.in('nowhere').timeout(3000).emitWithAck('ask'), []);
    assert.deepEqual(by(await io.except([peal[0].id, nodes[0].id]).timeout(3000).emitWithAck('ask')), indexes.filter((i) => i && i !== 6));
    const late = await io.timeout(500).emitWithAck('half').catch((error) => error);
    assert.match(late.message, /operation has timed out/);
    assert.deepEqual([...late.responses].sort(), [1, 3, 5, 7]);

    const fromPeal = await act(peal[0], 'broadcast', { timeout: 3000 }, ['ask', 1]);
    assert.ok(fromPeal.complete, fromPeal.why);
    assert.deepEqual(by(fromPeal.parts), indexes);
    assert.deepEqual(fromPeal.parts[0].got, [1]);
    const some = await act(peal[0], 'broadcast', { rooms: [peal[4].id, nodes[1].id] }, ['ask', { y: BYTES }]);
    assert.deepEqual(by(some.parts), [4, 7]);
    const one = await act(peal[0], 'broadcast', { rooms: [nodes[1].id] }, ['bytes', BYTES]);
    assert.deepEqual([one.complete, one.parts.length], [true, 1]);
    assert.deepEqual(Buffer.from(one.parts[0]), Buffer.concat([BYTES, Buffer.from([7])]));
    const other = await act(peal[0], 'broadcast', { rooms: [peal[5].id] }, ['bytes', BYTES]);
    assert.deepEqual(Buffer.from(other.parts[0]), Buffer.concat([BYTES, Buffer.from([5])]));
    const none = await act(peal[0], 'broadcast', { rooms: ['nowhere'] }, ['ask']);
    assert.deepEqual([none.complete, none.parts], [true, []]);
    const empty = await act(peal[0], 'broadcast', {}, ['undefined']);
    assert.deepEqual([empty.complete, empty.parts], [true, indexes.map(() => null)]);
    const half = await act(peal[0], 'broadcast', { timeout: 500 }, ['half']);
    assert.deepEqual([half.complete, half.why, half.silent, half.unnamed], [false, 'not all clients have answered', [], 0]);
    assert.deepEqual(half.parts.sort(), [1, 3, 5, 7]);
    /* A client that goes away does not answer any more; who asks a gateway for it hears so at once. */
    const pending = act(peal[0], 'broadcast', { rooms: [peal[1].id], timeout: 60000 }, ['half']);
    assert.deepEqual((await pending).parts, [1]);
    await crowd.settle();
    await crowd.heard(nobody);
  });
}
