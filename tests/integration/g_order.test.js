/* One order for all: what clients of three gateways emit at the same time, every client of every gateway
 * hears in exactly the same sequence, because all is delivered as it comes back from the bus. */
'use strict';
const { test } = require('node:test');
const assert = require('node:assert');
const { ask, connected, inbox, until, within } = require('./harness');
const { cluster, emitter, nodePeer, startRedis } = require('./cluster_harness');

const EACH = 60; // events of each emitting client
const OK = [{ status: 'ok' }];
const SETTINGS = { 'routes.events': 'message=all,say=room', 'routes.client_rooms': '*' };

const IN_FLIGHT = 4;

/* Two clients on each gateway; each has a few events under way and emits the next when one is acked. So no
 * gateway can be through before another has begun, however the machine shares out its time. */
async function everybodySpeaks(t, gws, event, ...to) {
  const sockets = await Promise.all([...gws, ...gws].map((gw) => connected(t, gw)));
  if (to.length) for (const s of sockets) assert.deepEqual(await ask(s, 'join', ...to), OK);
  const boxes = sockets.map((s) => inbox(s, event));
  const speakOne = async (s, i, more) => {
    const answers = [];
    for (let n = 0; n < EACH; n++) {
      answers.push(new Promise((resolve) => { s.emit(event, ...to, i, n, resolve); }));
      if (i === 0) more(n);
      if (n >= IN_FLIGHT) await answers[n - IN_FLIGHT];
    }
    for (const answer of await Promise.all(answers)) assert.deepEqual(answer, OK[0]);
  };
  const speak = (more = () => {}) => within(Promise.all(sockets.map((s, i) => speakOne(s, i, more))), 'all is acked', 20000);
  return { sockets, boxes, speak };
}

/* All have heard n; gives the one sequence. */
async function oneSequence(boxes, n) {
  const [first, ...others] = await within(Promise.all(boxes.map((b) => b.take(n))), 'all is heard', 20000);
  for (const [i, other] of others.entries()) assert.deepEqual(other, first, `client ${i + 1} and client 0`);
  return first;
}

function checkSenders(sequence, count, place) {
  for (let i = 0; i < count; i++) {
    const own = sequence.filter((args) => args[place] === i).map((args) => args[place + 1]);
    assert.deepEqual(own, Array.from({ length: EACH }, (_, n) => n), `what client ${i} said`);
  }
}

/* How often the gateway changes from one message to the next: without that there is nothing to order. */
const mixed = (sequence, place) => sequence.filter((args, i) => i && args[place] % 3 !== sequence[i - 1][place] % 3).length;

for (const subscribe of ['interest', 'everything']) {
  test(`namespace, bus.subscribe=${subscribe}`, async (t) => {
    const redis = await startRedis(t);
    const gws = await cluster(t, redis, { settings: { ...SETTINGS, 'bus.subscribe': subscribe } });
    const { boxes, sockets, speak } = await everybodySpeaks(t, gws, 'message');
    await speak();
    const sequence = await oneSequence(boxes, EACH * sockets.length);
    checkSenders(sequence, sockets.length, 0);
    assert.ok(mixed(sequence, 0) > 10, 'the gateways spoke at the same time');
  });

  test(`room, bus.subscribe=${subscribe}`, async (t) => {
    const redis = await startRedis(t);
    const gws = await cluster(t, redis, { settings: { ...SETTINGS, 'bus.subscribe': subscribe } });
    const { boxes, sockets, speak } = await everybodySpeaks(t, gws, 'say', 'lobby');
    const outsider = await connected(t, gws[1]);
    const heard = [];
    outsider.onAny((...args) => heard.push(args));
    await speak();
    const sequence = await oneSequence(boxes, EACH * sockets.length);
    checkSenders(sequence, sockets.length, 1);
    assert.ok(mixed(sequence, 1) > 10, 'the gateways spoke at the same time');
    const end = inbox(outsider, 'message');
    sockets[0].emit('message', 'end');
    await end.next();
    assert.deepEqual(heard, [['message', 'end']]);
  });
}

test('room and namespace together', async (t) => {
  const redis = await startRedis(t);
  const gws = await cluster(t, redis, { settings: SETTINGS });
  const { sockets } = await everybodySpeaks(t, gws, 'say', 'lobby');
  const logs = sockets.map((s) => {
    const log = [];
    s.onAny((...args) => log.push(args));
    return log;
  });
  for (let n = 0; n < EACH; n++) {
    for (const [i, s] of sockets.entries()) {
      if ((n + i) % 2) s.emit('say', 'lobby', i, n);
      else s.emit('message', 'all', i, n);
    }
    await new Promise(setImmediate);
  }
  const total = EACH * sockets.length;
  await until(() => logs.every((l) => l.length >= total), 'all is heard', 20000);
  for (const log of logs) assert.deepEqual(log, logs[0]);
});

test('with Node servers and an emitter in the cluster', async (t) => {
  const redis = await startRedis(t);
  const gws = await cluster(t, redis, { settings: SETTINGS });
  const peers = [await nodePeer(t, redis), await nodePeer(t, redis)];
  for (const { io } of peers) io.on('connection', (socket) => socket.on('message', (...args) => io.emit('message', ...args)));
  const em = await emitter(t, redis);
  const guests = await Promise.all(peers.map((p) => connected(t, p)));
  const guestBoxes = guests.map((s) => inbox(s, 'message'));
  const { boxes, sockets, speak } = await everybodySpeaks(t, gws, 'message');
  await speak((n) => {
    for (const [i, g] of guests.entries()) g.emit('message', sockets.length + i, n);
    em.emit('message', sockets.length + guests.length, n);
  });
  const speakers = sockets.length + guests.length + 1;
  const sequence = await oneSequence(boxes, EACH * speakers);
  checkSenders(sequence, speakers, 0);
  /* Node delivers its own at once: its clients hear all, in an order of their own. */
  const key = (args) => args[0] * 1000 + args[1];
  for (const box of guestBoxes) {
    const got = await box.take(EACH * speakers);
    assert.deepEqual(got.map(key).sort((a, b) => a - b), sequence.map(key).sort((a, b) => a - b));
  }
});
