/* Interest: a gateway hears the rooms that its clients are in and no others, from the moment when the client
 * is told that it is in, and no longer than the last of them. */
'use strict';
const { test } = require('node:test');
const assert = require('node:assert');
const { accepted, ask, client, connected, heard, Inbox, inbox, SECRET, token, until } = require('./harness');
const { cluster, emitter, metrics, startProxy, startRedis } = require('./cluster_harness');
const { act, allowed, fixtures, OK, ROUTES, Wire } = require('./interop_harness');

const ROUNDS = 200;

/* The first gateway is 5 ms from Redis, the second next to it: what it is told too early, it does not hear. */
async function farAndNear(t, redis, settings) {
  const proxy = await startProxy(t, redis);
  proxy.delay = 5;
  const places = [{ settings: { 'redis.url': proxy.url } }, redis];
  return Promise.all(places.map(async (place) => (await fixtures(t, place, { n: 1, settings }))[0]));
}

const channels = (redis, pattern) => redis.command('PUBSUB', 'CHANNELS', pattern);
const room = (name) => `socket.io#/#${name}#`;
const received = async (gw) => (await metrics(gw)).sum('peal_bus_received_total');

test('a busy room comes to the gateway of its members only', async (t) => {
  const redis = await startRedis(t);
  const gws = await cluster(t, redis, { settings: ROUTES });
  const sockets = await Promise.all(gws.map((gw) => connected(t, gw)));
  for (const s of [sockets[0], await connected(t, gws[0])]) await allowed(s, 'join', 'busy');
  assert.equal(await redis.subscribers(room('busy')), 1);
  const before = await Promise.all(gws.map(received));
  const box = inbox(sockets[0], 'say');
  const acks = Array.from({ length: 1000 }, (_, i) => new Promise((resolve) => { sockets[0].emit('say', 'busy', i, resolve); }));
  assert.deepEqual((await box.take(1000)).map(([, i]) => i), acks.map((_, i) => i));
  for (const a of await Promise.all(acks)) assert.deepEqual(a, OK[0]);
  const after = await Promise.all(gws.map(received));
  assert.deepEqual(after.map((n, i) => n - before[i]), [1000, 0, 0]);
});

test('with bus.subscribe=everything it comes to all', async (t) => {
  const redis = await startRedis(t);
  const gws = await cluster(t, redis, { settings: { ...ROUTES, 'bus.subscribe': 'everything' } });
  const [a] = await Promise.all(gws.map((gw) => connected(t, gw)));
  await allowed(a, 'join', 'busy');
  assert.deepEqual(await channels(redis, room('busy')), []);
  for (let i = 0; i < 10; i++) await allowed(a, 'say', 'busy', i);
  await until(async () => (await Promise.all(gws.map(received))).every((n) => n === 10), 'ten messages everywhere');
});

test('a private message comes to one gateway only', async (t) => {
  const redis = await startRedis(t);
  const gws = await fixtures(t, redis);
  const [a, b, c] = await Promise.all(gws.map((gw) => connected(t, gw)));
  const box = inbox(b, 'private');
  const before = await Promise.all(gws.map(received));
  for (let i = 0; i < 20; i++) await act(a, 'emit', { rooms: [b.id] }, ['private', i]);
  await box.take(20);
  const after = await Promise.all(gws.map(received));
  assert.deepEqual(after.map((n, i) => n - before[i]), [0, 20, 0]);
  assert.ok(c.connected);
});

test("a room's channel is there as long as it has a member", async (t) => {
  const redis = await startRedis(t);
  const jwt = (sub) => token({ sub });
  const gws = await cluster(t, redis, { settings: { ...ROUTES, 'auth.secret': SECRET, 'auth.mode': 'connect' } });
  const basis = (await channels(redis, '*')).sort();
  const [a, b] = await Promise.all([gws[0], gws[1]].map(async (gw) => connected(t, gw, { auth: { token: await jwt('ann') } })));
  const second = await connected(t, gws[0], { auth: { token: await jwt('bob') } });
  assert.equal(await redis.subscribers(room('user:ann')), 2);
  for (const s of [a, second, b]) await allowed(s, 'join', 'r');
  assert.equal(await redis.subscribers(room('r')), 2);
  await allowed(a, 'leave', 'r');
  await allowed(b, 'leave', 'r');
  await until(async () => await redis.subscribers(room('r')) === 1, 'one gateway has a member');
  second.disconnect();
  b.disconnect();
  await until(async () => (await redis.subscribers(room('r'))) + (await redis.subscribers(room('user:bob'))) === 0, 'no member is left');
  assert.equal(await redis.subscribers(room('user:ann')), 1);
  a.disconnect();
  await until(async () => (await channels(redis, '*')).length === basis.length, 'the channels of clients are gone');
  assert.deepEqual((await channels(redis, '*')).sort(), basis);
});

test('channels of a namespace of a pattern are there as long as it has a socket', async (t) => {
  const redis = await startRedis(t);
  const gws = await cluster(t, redis, { n: 2, settings: { ...ROUTES, 'socketio.namespaces': '/,/chat-*' } });
  const a = await connected(t, gws[0], { nsp: '/chat-1' });
  assert.equal(await redis.subscribers('socket.io#/chat-1#'), 1);
  assert.equal(await redis.subscribers('socket.io-request#/chat-1#'), 1);
  a.disconnect();
  await until(async () => (await channels(redis, '*chat-1*')).length === 0, 'the channels of the namespace are gone');
});

test('who is told that he has joined hears what is said after that, every time', async (t) => {
  const redis = await startRedis(t);
  const gws = await farAndNear(t, redis, {});
  const [a, b] = await Promise.all(gws.map((gw) => connected(t, gw)));
  const said = inbox(a, 'say');
  for (let i = 0; i < ROUNDS; i++) {
    const name = `r${i % 7}`; // left and joined again, again and again
    await allowed(b, 'join', name);
    await allowed(a, 'join', name);
    b.emit('say', name, i);
    assert.deepEqual(await said.next(), [name, i]);
    a.emit('leave', name);
    if (i % 3) b.emit('leave', name);
  }
});

test('who is connected is in his user room, every time', async (t) => {
  const redis = await startRedis(t);
  const gws = await farAndNear(t, redis, { 'auth.secret': SECRET, 'auth.mode': 'connect' });
  const jwt = await token({ sub: 'ann' });
  const speaker = await connected(t, gws[1], { auth: { token: await token({ sub: 'bob' }) } });
  for (let i = 0; i < ROUNDS; i++) {
    const a = client(t, gws[0], { auth: { token: jwt }, reconnection: false });
    const note = heard(a, 'note');
    await accepted(a);
    speaker.emit('ask', 'emit', { rooms: [i % 2 ? 'user:ann' : a.id] }, ['note', i], () => {});
    assert.deepEqual(await note, [i]);
    a.disconnect();
  }
});

test('who is authenticated by event is in his user room, every time', async (t) => {
  const redis = await startRedis(t);
  const gws = await farAndNear(t, redis, { 'auth.secret': SECRET, 'auth.mode': 'event' });
  const jwt = await token({ sub: 'ann' });
  const speaker = await connected(t, gws[1]);
  const ready = heard(speaker, 'authenticated');
  speaker.emit('authenticate', { token: await token({ sub: 'bob' }) });
  await ready;
  for (let i = 0; i < ROUNDS; i++) {
    const a = await connected(t, gws[0]);
    const note = heard(a, 'note');
    if (i % 2) {
      assert.deepEqual(await ask(a, 'authenticate', { token: jwt }), OK);
    } else {
      const authenticated = heard(a, 'authenticated');
      a.emit('authenticate', { token: jwt });
      await authenticated;
    }
    speaker.emit('ask', 'emit', { rooms: ['user:ann'] }, ['note', i], () => {});
    assert.deepEqual(await note, [i]);
    a.disconnect();
  }
});

test('who changes rooms by a fresh token is in the new ones when he is told so, every time', async (t) => {
  const redis = await startRedis(t);
  const settings = { 'auth.secret': SECRET, 'auth.mode': 'connect', 'auth.rooms_claim': 'teams' };
  const gws = await farAndNear(t, redis, settings);
  const tokens = await Promise.all(['red', 'blue'].map((team) => token({ sub: 'ann', teams: [team] })));
  const [a, speaker] = await Promise.all(gws.map((gw) => connected(t, gw, { auth: { token: tokens[0] } })));
  const notes = inbox(a, 'note');
  for (let i = 1; i < ROUNDS; i++) {
    assert.deepEqual(await ask(a, 'authenticate', { token: tokens[i % 2] }), OK);
    speaker.emit('ask', 'emit', { rooms: [i % 2 ? 'blue' : 'red'] }, ['note', i], () => {});
    assert.deepEqual(await notes.next(), [i]);
  }
});

test('who joins and speaks at once hears himself, and in the order in which he spoke', async (t) => {
  const redis = await startRedis(t);
  const proxy = await startProxy(t, redis);
  proxy.subscribeDelay = 5; // a message could overtake the subscription
  const [gw] = await fixtures(t, { settings: { 'redis.url': proxy.url } }, { n: 1 });
  const a = await connected(t, gw);
  const log = new Inbox('what a hears');
  a.onAny((...args) => log.put(args));
  for (let i = 0; i < ROUNDS / 2; i++) {
    a.emit('join', `r${i}`);
    a.emit('say', `r${i}`, i);
    a.emit('message', i);
    a.emit('say', `r${i}`, -i);
    assert.deepEqual(await log.take(3), [['say', `r${i}`, i], ['message', i], ['say', `r${i}`, -i]]);
  }
});

test('the old request to join is answered when the room is heard', async (t) => {
  const redis = await startRedis(t);
  const proxy = await startProxy(t, redis);
  proxy.subscribeDelay = 5;
  const [gw] = await fixtures(t, { settings: { 'redis.url': proxy.url } }, { n: 1 });
  const a = await connected(t, gw);
  const wire = await Wire.open(t, redis);
  const news = inbox(a, 'news');
  const e = await emitter(t, redis);
  for (let i = 0; i < 20; i++) {
    await wire.publish('socket.io-request#/#', { requestId: `j${i}`, type: 2, sid: a.id, room: `r${i}` });
    await until(async () => (await wire.answers(`j${i}`)).length, 'the answer');
    e.to(`r${i}`).emit('news', i);
    assert.deepEqual(await news.next(), [i]);
  }
});

test('joining and leaving in quick succession never leaves the room deaf', async (t) => {
  const redis = await startRedis(t);
  const sockets = await Promise.all((await farAndNear(t, redis, {})).map((gw) => connected(t, gw)));
  const [a, b] = sockets;
  const boxes = sockets.map((s) => inbox(s, 'say'));
  for (let i = 0; i < ROUNDS; i++) {
    /* All in one packet or over several turns; in the end it is in. */
    for (let n = 0; n < 1 + (i % 5); n++) {
      a.emit('join', 'quick');
      if (i % 4 === 0) await allowed(b, 'leave', 'quick');
      if (i % 8 === 1) await ask(a, 'leave', 'none');
      a.emit('leave', 'quick');
    }
    await Promise.all(sockets.map((s) => allowed(s, 'join', 'quick')));
    b.emit('say', 'quick', i);
    for (const box of boxes) assert.deepEqual(await box.next(), ['quick', i]);
  }
});
