/* The wire itself: what any program may publish on the request channel, and exactly one answer to it from each
 * gateway. A gateway that answers twice, or not at all, breaks every fetchSockets() of a Node server. */
'use strict';
const { test } = require('node:test');
const assert = require('node:assert');
const { ask, connected, heard, inbox, until } = require('./harness');
const { nodePeer, startRedis } = require('./cluster_harness');
const { act, allowed, Crowd, everybody, fixtures, nobody, notepack, values, Wire } = require('./interop_harness');

const REQUEST = 'socket.io-request#/#';
const SHARED = 'socket.io-response#/#';

async function three(t, settings = {}) {
  const redis = await startRedis(t);
  const gws = await fixtures(t, redis, { settings });
  const sockets = await Promise.all([...gws, ...gws].map((gw) => connected(t, gw)));
  const crowd = new Crowd(t, redis, sockets);
  const wire = await Wire.open(t, redis);
  const nodes = (await Promise.all(sockets.slice(0, 3).map((s) => ask(s, 'ask', 'node')))).flat();
  /* All answers to a request, and no more: what is asked by a client afterwards is answered behind them. */
  const answers = async (id, n) => {
    await until(async () => (await wire.answers(id)).length >= n, `answers to ${id}`);
    for (const s of sockets.slice(0, 3)) await act(s, 'rooms');
    return wire.answers(id);
  };
  return { redis, gws, sockets, crowd, wire, nodes, answers };
}

const ids = (list) => list.map((s) => s.id).sort();

test('questions of all types by raw publish: one answer of each gateway, on the right channel', async (t) => {
  const { sockets, wire, nodes, answers } = await three(t);
  for (const s of [sockets[0], sockets[4]]) await allowed(s, 'join', 'r');

  await wire.publish(REQUEST, { requestId: 'legacy', type: 0, rooms: ['r'] });
  let all = await answers('legacy', 3);
  assert.deepEqual(all.map((a) => a.channel), [SHARED, SHARED, SHARED]);
  assert.deepEqual(all.flatMap((a) => a.sockets).sort(), ids([sockets[0], sockets[4]]));
  await wire.publish(REQUEST, { requestId: 'legacy-all', type: 0, rooms: [] });
  assert.deepEqual((await answers('legacy-all', 3)).flatMap((a) => a.sockets).sort(), ids(sockets));

  await wire.publish(REQUEST, { uid: 'Ab12Cd', requestId: 'rooms', type: 1 });
  all = await answers('rooms', 3);
  assert.deepEqual(all.map((a) => a.channel), Array(3).fill(`${SHARED}Ab12Cd#`));
  assert.deepEqual(all.map((a) => a.uid).sort(), [...nodes].sort());
  assert.deepEqual(all.flatMap((a) => a.rooms).sort(), [...ids(sockets), 'r', 'r'].sort());

  await wire.publish(REQUEST, { uid: 'Ab12Cd', requestId: 'fetch', type: 5, opts: { rooms: ['r'], except: [sockets[0].id] } });
  all = await answers('fetch', 3);
  assert.equal(all.length, 3);
  assert.deepEqual(all.flatMap((a) => a.sockets).map((s) => s.id), [sockets[4].id]);

  await wire.publish(REQUEST, { uid: 'Ab12Cd', requestId: 'event', type: 6, data: ['hello', 1] });
  all = await answers('event', 3);
  assert.deepEqual(all.map((a) => a.channel), [SHARED, SHARED, SHARED], 'as Node does it');
  assert.deepEqual(all.map((a) => [a.type, a.data.node]).sort(), nodes.map((n) => [6, n]).sort());
});

test('a broadcast with acks by raw publish: one count of each gateway, one ack of each client', async (t) => {
  const { sockets, wire, answers } = await three(t);
  for (const [i, s] of sockets.entries()) s.on('q', (x, cb) => { if (i) cb({ i, x }, 'second'); });
  await wire.publish(REQUEST, notepack.encode({
    uid: 'Ab12Cd', requestId: 'acks', type: 7, packet: { type: 2, data: ['q', new Date(0)], nsp: '/' },
    opts: { rooms: [], except: [sockets[5].id], flags: { timeout: 2000 } },
  }));
  const all = await answers('acks', 3 + 4);
  assert.deepEqual([...new Set(all.map((a) => a.channel))], [`${SHARED}Ab12Cd#`]);
  assert.deepEqual(all.filter((a) => a.type === 8).map((a) => a.clientCount).sort(), [1, 2, 2]);
  assert.deepEqual(all.filter((a) => a.type === 9).map((a) => a.packet.i).sort(), [1, 2, 3, 4]);
  for (const a of all.filter((x) => x.type === 9)) assert.equal(a.packet.x, '1970-01-01T00:00:00.000Z');
  assert.equal(all.length, 7);
});

test('join, leave and disconnect of many sockets by raw publish: nobody answers', async (t) => {
  const { sockets, crowd, wire, answers } = await three(t);
  const members = async (room) => values(await act(sockets[0], 'fetch', { rooms: [room] })).map((s) => s.id).sort();
  await wire.publish(REQUEST, { uid: 'Ab12Cd', requestId: 'many', type: 2, opts: { rooms: [], except: [sockets[1].id] }, rooms: ['a', 'b'] });
  assert.deepEqual(await members('a'), ids(sockets.filter((s) => s !== sockets[1])));
  /* As the emitter says it: without uid; numbers are rooms, too. */
  await wire.publish(REQUEST, { type: 2, opts: { rooms: [sockets[1].id] }, rooms: [7] });
  assert.deepEqual(await members('7'), [sockets[1].id]);
  await wire.publish(REQUEST, { uid: 'Ab12Cd', type: 3, opts: { rooms: ['a', 7], except: [sockets[2].id] }, rooms: ['b', 7] });
  assert.deepEqual(await members('b'), [sockets[2].id]);
  assert.deepEqual(await members('7'), []);
  const gone = heard(sockets[3], 'disconnect');
  await wire.publish(REQUEST, { uid: 'Ab12Cd', type: 4, opts: { rooms: [sockets[3].id], except: [] }, close: true });
  assert.deepEqual((await gone)[0], 'io server disconnect');
  assert.deepEqual(await answers('many', 0), []);
  crowd.sockets.splice(3, 1);
  await crowd.heard(nobody);
});

test('the old forms for one socket: its gateway does it and says so, the others are silent', async (t) => {
  const { sockets, wire, answers } = await three(t);
  const s = sockets[4];
  const members = async (room) => values(await act(sockets[0], 'fetch', { rooms: [room] })).map((x) => x.id).sort();
  await wire.publish(REQUEST, { requestId: 'j', type: 2, sid: s.id, room: 'old' });
  assert.deepEqual((await answers('j', 1)).map(({ channel, requestId }) => [channel, requestId]), [[SHARED, 'j']]);
  assert.deepEqual(await members('old'), [s.id]);
  await wire.publish(REQUEST, { uid: 'Ab12Cd', requestId: 'l', type: 3, sid: s.id, room: 'old' });
  assert.deepEqual((await answers('l', 1)).map((a) => a.channel), [`${SHARED}Ab12Cd#`]);
  assert.deepEqual(await members('old'), []);
  await wire.publish(REQUEST, { requestId: 'nobody', type: 2, sid: 'A'.repeat(20), room: 'old' });
  const gone = heard(s, 'disconnect');
  await wire.publish(REQUEST, { requestId: 'd', type: 4, sid: s.id, close: false });
  await gone;
  assert.equal((await answers('d', 1)).length, 1);
  assert.deepEqual(await answers('nobody', 0), []);
});

test("what gateways ask is the reference's wire, and Node answers it once", async (t) => {
  const redis = await startRedis(t);
  const gws = await fixtures(t, redis, { n: 2 });
  const node = await nodePeer(t, redis);
  const [a, b] = await Promise.all(gws.map((gw) => connected(t, gw)));
  const c = await connected(t, node);
  for (const s of [a, b, c]) s.on('q', (cb) => cb(1));
  const wire = await Wire.open(t, redis);
  const [uid] = await ask(a, 'ask', 'node');
  const check = async (op, which, data, shape, n) => {
    const answer = await act(a, op, which, data);
    const request = await wire.requests.next();
    const { requestId } = request;
    if (answer.parts) assert.ok(answer.complete, answer.why);
    assert.deepEqual(request, { ...shape, ...(requestId === undefined ? {} : { requestId }) });
    assert.equal((await wire.answers(requestId)).length, n, op);
  };
  const opts = { rooms: ['r'], except: ['x'] };
  await check('fetch', opts, [], { uid, type: 5, opts }, 2);
  await check('rooms', {}, [], { uid, type: 1 }, 2);
  await check('ids', { rooms: [a.id] }, [], { uid, type: 0, rooms: [a.id] }, 2);
  await check('join', { ...opts, targets: ['y'] }, [], { uid, type: 2, opts, rooms: ['y'] }, 0);
  await check('leave', { ...opts, targets: ['y'] }, [], { uid, type: 3, opts, rooms: ['y'] }, 0);
  await check('disconnect', { ...opts, close: true }, [], { uid, type: 4, opts, close: true }, 0);
  await check('server-emit', {}, ['ev', 1], { uid, type: 6, data: ['ev', 1] }, 0);
  node.io.on('sum', (x, y, cb) => cb(x + y));
  await check('server-ask', {}, ['sum', 1, 2], { uid, type: 6, data: ['sum', 1, 2] }, 2);
  await check('broadcast', { timeout: 1000 }, ['q'], {
    uid, type: 7, packet: { type: 2, data: ['q'], nsp: '/' }, opts: { rooms: [], except: [], flags: { timeout: 1000 } },
  }, 2 + 2);
});

test("leniencies of other languages' emitters", async (t) => {
  const { gws, sockets, crowd, wire } = await three(t, { 'socketio.namespaces': '/,/n' });
  await allowed(sockets[1], 'join', '42');
  await allowed(sockets[1], 'join', '-7');
  const say = async (channel, message, who, ...seen) => {
    await wire.publish(channel, Buffer.isBuffer(message) ? message : notepack.encode(message));
    await crowd.heard(who, ...seen);
  };
  const all = 'socket.io#/#';
  const packet = (...data) => ({ type: 2, data, nsp: '/' });
  await say(all, ['emitter', packet('a', 1), { rooms: [] }], everybody, ['a', 1]);
  await say(all, ['emitter', packet('b'), {}], everybody, ['b']);
  await say(all, ['emitter', { type: 2, data: ['c'] }, { rooms: [], flags: {} }], everybody, ['c']);
  await say(all, [packet('d'), { rooms: [] }], everybody, ['d']);
  await say(all, ['emitter', { type: 5, data: ['e', Buffer.from('bytes')], nsp: '/' }, { rooms: [], flags: { binary: true } }],
    everybody, ['e', Buffer.from('bytes')]);
  await say(all, ['emitter', { type: 5, data: ['f', 'no bytes'], nsp: '/' }, {}], everybody, ['f', 'no bytes']);
  const second = (s) => s === sockets[1];
  await say(`${all}42#`, ['emitter', packet('g'), { rooms: [42] }], second, ['g']);
  await say(all, ['emitter', packet('h'), { rooms: [-7, 1] }], second, ['h']);
  await say(all, ['emitter', packet('i'), { rooms: [], except: [42] }], (s) => !second(s), ['i']);
  /* Names as bin, as msgpack libraries that know no text write them. */
  const bin = (text) => Buffer.from(text);
  await say(all, [bin('emitter'), { type: 2, data: ['j'], nsp: bin('/') }, { rooms: [bin('42')] }], second, ['j']);
  /* Old extension types of notepack: undefined, and a date. */
  const old = Buffer.concat([
    Buffer.from([0x93]), notepack.encode('emitter'), Buffer.from([0x82]), notepack.encode('type'), notepack.encode(2),
    notepack.encode('data'), Buffer.from([0x93]), notepack.encode('k'), Buffer.from([0xd4, 0, 0]),
    Buffer.from([0xd7, 0, 0, 0, 0, 0, 0, 0, 0, 1]), notepack.encode({}),
  ]);
  await say(all, old, everybody, ['k', null, '1970-01-01T00:00:00.001Z']);
  /* Integers of any size, and keys that are no text. */
  await say(all, ['emitter', packet('l', -1, 255, 65536, 4294967296, -4294967296), {}], everybody, ['l', -1, 255, 65536, 4294967296, -4294967296]);
  /* Another namespace's message on this channel is nobody's. */
  await say(all, ['emitter', { type: 2, data: ['m'], nsp: '/n' }, {}], nobody);
  await say('socket.io#/n#', ['emitter', { type: 2, data: ['n'] }, {}], nobody);
  const other = await connected(t, gws[0], { nsp: '/n' });
  const box = inbox(other, 'o');
  await say('socket.io#/n#', ['emitter', { type: 2, data: ['o', 1], nsp: '/n' }, {}], nobody);
  assert.deepEqual(await box.next(), [1]);
});
