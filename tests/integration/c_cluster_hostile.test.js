/* A Redis to which anybody may publish anything: no gateway falls, what is junk is counted, and clients notice
 * nothing. */
'use strict';
const { test } = require('node:test');
const assert = require('node:assert');
const { ask, connected, inbox, until, within } = require('./harness');
const { metrics, startRedis } = require('./cluster_harness');
const { act, allowed, Crowd, everybody, fixtures, freeze, notepack, values, Wire } = require('./interop_harness');

const JUNK = 10000;

/* Always the same: xorshift. */
function randomness(seed) {
  let x = seed;
  return (n) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % n;
  };
}

const event = (...data) => ['emitter', { type: 2, data, nsp: '/' }, { rooms: [], except: [], flags: {} }];
const PACKS = [
  event('message', 1, { a: [Buffer.from('bytes'), new Date(0), 1.5, -1, 2 ** 40] }),
  { uid: 'Ab12Cd', requestId: 'x', type: 7, packet: { type: 2, data: ['q'], nsp: '/' }, opts: { rooms: ['none'], except: [], flags: { timeout: 50 } } },
  { type: 9, requestId: 'unknown', packet: { deep: [[[1]]] } },
].map((m) => notepack.encode(m));
const TEXTS = [
  '{"uid":"x","requestId":"y","type":5,"opts":{"rooms":["a"],"except":[]}}',
  '{"requestId":"y","sockets":[{"id":"z","handshake":{},"rooms":[],"data":{}}]}',
  '{"type":8,"requestId":"y","clientCount":1}',
].map((m) => Buffer.from(m));

/* Wrong in one way each; each is counted wherever it comes. */
const WRONG = [
  Buffer.alloc(0), Buffer.from('{'), Buffer.from('{}x'), Buffer.from('null'), Buffer.from('[]'), Buffer.from('{"type":"5"}'),
  Buffer.from('{"type":5}'), Buffer.from('{"uid":"a","type":5,"opts":{}}'), Buffer.from('{"type":99,"requestId":"a"}'),
  Buffer.from('{"type":2,"opts":{"rooms":"a"},"rooms":["b"]}'), Buffer.from('{"type":2,"opts":{"rooms":[{}]},"rooms":["b"]}'),
  Buffer.from('{"type":2,"opts":{"rooms":["a"]}}'), Buffer.from('{"type":6,"data":{}}'), Buffer.from('{"type":6,"data":["connection"]}'),
  Buffer.from('{"type":1e400,"requestId":"a"}'), Buffer.from('{"type":0,"requestId":7}'), Buffer.from([0x7b, 0xff, 0xfe]),
  Buffer.from(`{"type":6,"data":["a",${'['.repeat(100000)}`), Buffer.from(`{"a":${'{"a":'.repeat(100000)}`),
  Buffer.alloc(1000000, 0x91), Buffer.alloc(1000000, 0x81), Buffer.from([0xdd, 0xff, 0xff, 0xff, 0xff]), Buffer.from([0xc6, 0xff, 0xff, 0xff, 0xff]),
  ...[null, 1, 'text', [], {}, ['emitter'], ['emitter', null, null], ['emitter', {}, {}], [1, 2, 3],
    ['emitter', { type: 3, data: ['a'], nsp: '/' }, {}], ['emitter', { type: 2, data: 'a', nsp: '/' }, {}],
    ['emitter', { type: 2, data: [], nsp: '/' }, {}], ['emitter', { type: 2, data: ['disconnect'], nsp: '/' }, {}],
    ['emitter', { type: 2, data: [{}], nsp: '/' }, {}], ['emitter', { type: 2, data: ['a'], nsp: 5 }, {}],
    ['emitter', { type: 2, data: ['a'], nsp: '/nowhere' }, {}], ['emitter', { type: 2, data: ['a'], nsp: '/' }, { rooms: 'r' }],
    ['emitter', { type: 2, data: ['a'], nsp: '/' }, { rooms: [[]] }], ['emitter', { type: 2, data: ['a', ...Array(100).fill(Buffer.from('b'))], nsp: '/' }, {}],
    ['emitter', { type: 2, data: ['a'], nsp: '/' }, { rooms: Array.from({ length: 1000 }, String) }],
    ['emitter', { type: 2, data: ['a'], nsp: '/' }, { peal: { json: '["a"', bins: [] } }],
    ['emitter', { type: 2, data: ['a'], nsp: '/' }, { peal: { json: '{}', bins: [9] } }],
    { type: 7, requestId: 'a' }, { type: 7, packet: { type: 2, data: ['a'] }, opts: {} }, { type: 9 }, { type: 'x', requestId: 'a' },
  ].map((m) => notepack.encode(m)),
];

/* n pieces of random bytes, of torn messages, and of messages with some bytes changed. JSON is torn only: a changed
 * number would make it a good request to disconnect everybody. */
function junk(n, seed) {
  const rnd = randomness(seed);
  return Array.from({ length: n }, (_, i) => {
    if (i % 3 === 0) return Buffer.from(Array.from({ length: 1 + rnd(200) }, () => rnd(256)));
    const source = i % 3 === 1 ? TEXTS[rnd(TEXTS.length)] : PACKS[rnd(PACKS.length)];
    if (i % 3 === 1) return source.subarray(0, rnd(source.length));
    const changed = Buffer.from(source);
    for (let k = rnd(4); k >= 0; k--) changed[rnd(changed.length)] = rnd(256);
    return changed;
  });
}

async function scene(t, { settings = {}, n = 2 } = {}) {
  /* Redis must keep what a frozen gateway does not take. */
  const redis = await startRedis(t, { config: ['client-output-buffer-limit pubsub 0 0 0'] });
  const gws = await fixtures(t, redis, { n, settings });
  const sockets = await Promise.all([...gws, ...gws].map((gw) => connected(t, gw)));
  for (const s of sockets) await allowed(s, 'join', 'r');
  const wire = await Wire.open(t, redis);
  const [uid] = await ask(sockets[0], 'ask', 'node');
  const channels = [
    'socket.io#/#', 'socket.io#/#r#', `socket.io#/#${sockets[0].id}#`, 'socket.io-request#/#', 'socket.io-response#/#',
    `socket.io-response#/#${uid}#`, `socket.io-peal-direct#${uid}`, `socket.io-peal-canary#${uid}`,
  ];
  return { redis, gws, sockets, wire, channels };
}

/* Everything still works, the connections to Redis are the first ones, and nobody was disconnected. */
async function isWell({ gws, sockets }) {
  const boxes = sockets.map((s) => inbox(s, 'say'));
  for (const [i, s] of sockets.entries()) {
    assert.ok(s.connected, `client ${i}`);
    await allowed(s, 'say', 'r', `well ${i}`);
    for (const box of boxes) assert.deepEqual(await box.next(), ['r', `well ${i}`]);
  }
  for (const gw of gws) {
    const m = await metrics(gw);
    assert.equal(m.sum('peal_bus_disconnects_total'), 0);
    assert.equal(m.sum('peal_bus_gaps_total'), 0);
    assert.ok(gw.count(/level=warn/) < 20, 'the log is not flooded');
  }
  const fetched = await act(sockets[0], 'fetch');
  assert.ok(fetched.complete);
  assert.equal(values(fetched).length, sockets.length);
}

test('messages that are wrong in one way each are counted, one by one', async (t) => {
  const all = await scene(t);
  const [gw] = all.gws;
  const bad = async () => (await metrics(gw)).sum('peal_bus_bad_total');
  for (const channel of all.channels.slice(0, -1)) {
    const before = await bad();
    for (const m of WRONG) await all.wire.publish(channel, m);
    await act(all.sockets[0], 'rooms');
    const counted = (await bad()) - before;
    assert.equal(counted, WRONG.length, channel);
  }
  for (const m of WRONG) await all.wire.publish(all.channels.at(-1), m);
  await isWell(all);
});

test(`${JUNK} pieces of junk on every channel`, async (t) => {
  const all = await scene(t);
  const before = await Promise.all(all.gws.map(async (gw) => (await metrics(gw)).sum('peal_bus_bad_total')));
  for (const [i, channel] of all.channels.entries()) {
    const pieces = junk(JUNK, 1 + i);
    for (let at = 0; at < JUNK; at += 1000) {
      await within(Promise.all(pieces.slice(at, at + 1000).map((m) => all.wire.publish(channel, m))), 'junk is published');
    }
  }
  await isWell(all);
  for (const [i, gw] of all.gws.entries()) {
    const counted = (await metrics(gw)).sum('peal_bus_bad_total') - before[i];
    assert.ok(counted > JUNK, `${counted} are counted as bad`);
  }
});

test('a message of 5 MB from elsewhere is refused, and nothing else is lost', async (t) => {
  const all = await scene(t);
  const crowd = new Crowd(t, all.redis, all.sockets);
  const big = 'x'.repeat(5000000);
  const texts = [
    ['socket.io#/#', notepack.encode(event('big', big))], ['socket.io#/#r#', notepack.encode(event('big', Buffer.from(big)))],
    ['socket.io-request#/#', JSON.stringify({ uid: 'a', type: 6, data: ['big', big] })],
    ['socket.io-response#/#', JSON.stringify({ requestId: 'a', sockets: [{ id: big }] })],
  ].map(([channel, m]) => [channel, Buffer.from(m)]);
  for (const [i, [channel, m]] of texts.entries()) {
    await all.wire.publish('socket.io#/#', notepack.encode(event('before', i)));
    await all.wire.publish(channel, m);
    await all.wire.publish('socket.io#/#', notepack.encode(event('after', i)));
  }
  await crowd.heard(everybody, ...texts.flatMap((_, i) => [['before', i], ['after', i]]));
  for (const gw of all.gws) assert.equal((await metrics(gw)).sum('peal_bus_bad_total'), texts.length);
  await isWell(all);
});

test('answers that nobody has asked for', async (t) => {
  const all = await scene(t);
  for (let i = 0; i < 1000; i++) {
    await all.wire.publish('socket.io-response#/#', { requestId: `none${i}`, sockets: [{ id: 'a', handshake: {}, rooms: [], data: {} }] });
    await all.wire.publish('socket.io-response#/#', { type: 8, requestId: 'AAAAAAAAAAAA', clientCount: 5 });
    await all.wire.publish('socket.io-response#/#', notepack.encode({ type: 9, requestId: 'AAAAAAAAAAAA', packet: i }));
    await all.wire.publish('socket.io-response#/#', { requestId: `none${i}` });
  }
  await isWell(all);
  for (const gw of all.gws) assert.equal((await metrics(gw)).sum('peal_bus_bad_total'), 0, 'they are no junk');
});

test('a flood of forged answers to an open question stays bounded', async (t) => {
  const all = await scene(t, { n: 3, settings: { 'bus.canary_timeout': 60000 } });
  const [asker] = all.sockets;
  freeze(t, all.gws[2]); // so that the question stays open
  const flood = async (op, forge, timeout = 4000) => {
    const answer = act(asker, op, { timeout }, ['q']);
    const { requestId } = await all.wire.requests.next();
    for (let n = 0; n < 20; n++) {
      await within(Promise.all(Array.from({ length: 500 }, (_, i) => all.wire.publish('socket.io-response#/#', forge(requestId, n * 500 + i)))), 'a flood');
    }
    return within(answer, 'the answer', 20000);
  };
  for (const s of all.sockets) s.on('q', () => {});
  const filler = 'y'.repeat(8000);
  const acks = await flood('broadcast', (requestId, i) => notepack.encode({ type: 9, requestId, uid: `u${i}`, packet: filler }));
  assert.ok(acks.why, 'more than an answer may hold');
  const binary = await flood('broadcast', (requestId) => notepack.encode({ type: 9, requestId, packet: Array(10).fill(Buffer.alloc(0)) }));
  assert.ok(!binary.complete, 'the frozen gateway has not answered');
  const counts = await flood('broadcast', (requestId) => ({ type: 8, requestId, uid: 'one', clientCount: 2 ** 52 }));
  assert.equal(counts.complete, false);
  /* Nameless ones are taken for Node servers: they end the question early, and the rest is nobody's. */
  const parts = await flood('fetch', (requestId) => ({ requestId, sockets: [] }));
  assert.ok(parts.parts.length <= 3);
  const wrong = await flood('fetch', (requestId) => ({ requestId, rooms: ['a'] }), 2000);
  assert.deepEqual([wrong.parts.length, wrong.complete], [2, false]);
  all.gws[2].child.kill('SIGCONT');
  await until(async () => (await act(asker, 'fetch')).complete, 'all gateways answer again');
  await isWell(all);
});
