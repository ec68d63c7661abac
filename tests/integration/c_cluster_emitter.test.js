/* Events from programs that are no servers: npm's @socket.io/redis-emitter and the emitter in Python. */
'use strict';
const { test } = require('node:test');
const assert = require('node:assert');
const { connected, heard, SECRET, token } = require('./harness');
const { emitter, pythonEmit, startRedis } = require('./cluster_harness');
const { act, allowed, Crowd, everybody, everyKind, fixtures, values } = require('./interop_harness');

const BYTES = Buffer.from([0, 1, 2, 0xff, 0x80]);

test('redis-emitter: events', async (t) => {
  const redis = await startRedis(t);
  const gws = await fixtures(t, redis, { settings: { 'socketio.namespaces': '/,/n' } });
  const sockets = await everyKind(t, gws);
  const crowd = new Crowd(t, redis, sockets);
  const [one, five] = [sockets[1], sockets[5]];
  for (const s of [one, five]) await allowed(s, 'join', 'r');
  await allowed(sockets[10], 'join', 'q');
  const e = await emitter(t, redis);
  const inR = (s) => s === one || s === five;
  e.emit('a', 1, { b: 'c' });
  await crowd.heard(everybody, ['a', 1, { b: 'c' }]);
  e.to('r').emit('b');
  await crowd.heard(inR, ['b']);
  e.to('r').to(['q', 'none']).emit('c');
  await crowd.heard((s) => inR(s) || s === sockets[10], ['c']);
  e.except(['r', sockets[0].id]).emit('d');
  await crowd.heard((s) => !inR(s) && s !== sockets[0], ['d']);
  e.in('r').except(one.id).emit('e');
  await crowd.heard((s) => s === five, ['e']);
  e.to(five.id).emit('f');
  await crowd.heard((s) => s === five, ['f']);
  const fast = sockets.filter((s) => s.k % 2 === 0); // a polling client between two polls may miss it
  e.to(fast.map((s) => s.id)).volatile.emit('g');
  await crowd.heard((s) => fast.includes(s), ['g']);
  e.compress(false).emit('h', BYTES, [BYTES], new Date(0), undefined, NaN);
  await crowd.heard(everybody, ['h', BYTES, [BYTES], '1970-01-01T00:00:00.000Z', null, null]);
  const space = await Promise.all(gws.map((gw) => connected(t, gw, { nsp: '/n' })));
  const inSpace = new Crowd(t, redis, space, { nsp: '/n' });
  await allowed(space[2], 'join', 'r');
  e.of('/n').emit('i');
  e.of('n').to('r').emit('j');
  const [zero, , two] = await inSpace.settle();
  assert.deepEqual([zero, two], [[['i']], [['i'], ['j']]]);
  await crowd.heard(() => false);
});

test('redis-emitter: commands to sockets, and events for servers', async (t) => {
  const redis = await startRedis(t);
  const gws = await fixtures(t, redis);
  const sockets = await Promise.all([...gws, ...gws].map((gw) => connected(t, gw)));
  const crowd = new Crowd(t, redis, sockets);
  const e = await emitter(t, redis);
  const ids = (list) => list.map((s) => s.id).sort();
  /* The emitter's connection has to be before the question. */
  const members = async (room) => {
    await crowd.settle();
    return values(await act(sockets[0], 'fetch', { rooms: [room] })).map((s) => s.id).sort();
  };
  crowd.marker = Promise.resolve(e);
  e.socketsJoin(['a', 'b']);
  assert.deepEqual(await members('b'), ids(sockets));
  e.in('a').except([sockets[1].id]).socketsLeave('b');
  assert.deepEqual(await members('b'), [sockets[1].id]);
  e.in(sockets[4].id).socketsJoin('c');
  assert.deepEqual(await members('c'), [sockets[4].id]);
  e.serverSideEmit('hello', 1, 'two');
  await crowd.heard(everybody, ['server-event', ['hello', 1, 'two']]);
  assert.throws(() => e.serverSideEmit('hello', () => {}), /not supported/);
  const gone = Promise.all([heard(sockets[1], 'disconnect'), heard(sockets[4], 'disconnect')]);
  e.in('b').disconnectSockets();
  e.in('c').disconnectSockets(true);
  for (const [why] of await gone) assert.equal(why, 'io server disconnect');
  crowd.sockets = sockets.filter((s) => s !== sockets[1] && s !== sockets[4]);
  assert.deepEqual(await members('a'), ids(crowd.sockets));
});

test('the emitter in Python', async (t) => {
  const redis = await startRedis(t);
  const gws = await fixtures(t, redis, { settings: { 'auth.mode': 'connect', 'auth.secret': SECRET, 'socketio.namespaces': '/,/n' } });
  const auth = { token: await token({ sub: 'ann' }) };
  const other = { token: await token({ sub: 'bob' }) };
  const sockets = await Promise.all(gws.flatMap((gw) => [auth, other].map((a) => connected(t, gw, { auth: a }))));
  const crowd = new Crowd(t, redis, sockets);
  await allowed(sockets[1], 'join', 'lobby');
  await pythonEmit(redis, 'message', '"hello"', '{"é": [1, null, true, 1.5, -9007199254740992]}');
  await crowd.heard(everybody, ['message', 'hello', { é: [1, null, true, 1.5, -9007199254740992] }]);
  await pythonEmit(redis, '--to', 'lobby', 'a', '1');
  await crowd.heard((s) => s === sockets[1], ['a', 1]);
  await pythonEmit(redis, '--to', 'lobby', '--to', sockets[4].id, 'b');
  await crowd.heard((s) => s === sockets[1] || s === sockets[4], ['b']);
  await pythonEmit(redis, '--user', 'ann', '--except', sockets[0].id, 'note', 'null');
  await crowd.heard((s) => s === sockets[2] || s === sockets[4], ['note', null]);
  const space = await connected(t, gws[1], { auth, nsp: '/n' });
  const note = heard(space, 'c');
  await pythonEmit(redis, '--nsp', '/n', 'c', '[]');
  assert.deepEqual(await note, [[]]);
  await crowd.heard(() => false);
});
