/* The checks of the public suite of Engine.IO 3 (socketio/socket.io, docs/engine.io-protocol/v3-test-suite),
 * against the same fixture, eio-echo --eio3. The waits here are the protocol's: an interval of 300 ms and a
 * timeout of 200 ms. */
'use strict';
const { after, before, test } = require('node:test');
const assert = require('node:assert');
const http = require('node:http');
const { setTimeout: elapse } = require('node:timers/promises');
const { fixture, rawWs, RawWs, request } = require('./harness');
const { Poller3, poller3 } = require('./eio3_harness');

const INTERVAL = 300;
const TIMEOUT = 200;

/* It runs for the whole file. */
let gw;
const file = { after(end) { file.end = end; } };
before(async () => { gw = await fixture(file, 'eio-echo', '--eio3'); });
after(() => file.end());

const status = async (promise) => (await promise).status;

function checkOpen(open, upgrades) {
  assert.equal(typeof open.sid, 'string');
  assert.deepEqual([open.upgrades, open.pingInterval, open.pingTimeout, open.maxPayload], [upgrades, INTERVAL, TIMEOUT, 1000000]);
}

/* A WebSocket that has read its open packet. */
async function openWs(t) {
  const ws = await rawWs(t, gw, 'EIO=3&transport=websocket');
  const text = await ws.next();
  assert.equal(text[0], '0');
  checkOpen(JSON.parse(text.slice(1)), []);
  return ws;
}

test('handshake by polling', async () => {
  const p = await poller3(gw);
  checkOpen(p.handshake, ['websocket']);
  assert.deepEqual(p.more, []);
});

test('handshakes by polling that must fail', async () => {
  for (const query of ['EIO=3', 'EIO=3&transport=abc', 'transport=polling', 'EIO=abc&transport=polling', 'EIO=2&transport=polling'])
    assert.equal(await status(request(gw, { query })), 400, query);
  for (const method of ['POST', 'PUT']) assert.equal(await status(request(gw, { query: 'EIO=3&transport=polling', method })), 400, method);
});

test('handshake by WebSocket', openWs);

test('handshakes by WebSocket that must fail', async (t) => {
  for (const query of ['transport=websocket', 'EIO=abc&transport=websocket', 'EIO=3', 'EIO=3&transport=abc'])
    await new RawWs(t, gw, query).end();
});

for (const payload of ['6:4hello', '6:4test16:4test26:4test3', '6:4hello10:b4AQIDBA==', '2:4€', '3:4\u{1f600}', '1:4']) {
  test(`the payload ${payload} comes back`, async () => {
    const p = await poller3(gw, '&b64=1');
    const push = await p.post(payload);
    assert.deepEqual([push.status, push.body], [200, 'ok']);
    const pull = await p.get();
    assert.deepEqual([pull.status, pull.body], [200, payload]);
  });
}

test('text and binary come back in a binary payload', async () => {
  const p = await poller3(gw);
  assert.equal(await status(p.post('6:4hello10:b4AQIDBA==')), 200);
  const pull = await p.get();
  assert.deepEqual(pull.bytes, Buffer.from([0, 6, 255, 52, 104, 101, 108, 108, 111, 1, 5, 255, 4, 1, 2, 3, 4]));
  assert.equal(pull.headers['content-type'], 'application/octet-stream');
});

test('an invalid packet by polling ends the session', async () => {
  const p = await poller3(gw, '&b64=1');
  assert.equal(await status(p.post('abc')), 400);
  assert.equal(await status(p.get()), 400);
});

test('two polls at once end the session', async () => {
  const p = await poller3(gw, '&b64=1');
  const first = p.get();
  await elapse(5);
  assert.equal(await status(p.get()), 400);
  const r = await first;
  assert.deepEqual([r.status, r.body], [200, '1:1']);
  assert.equal(await status(p.get()), 400);
});

test('an aborted poll ends the session', async () => {
  const p = await poller3(gw, '&b64=1');
  const r = http.get({ host: '127.0.0.1', port: gw.port, path: `${gw.path}?${p.query}`, agent: false });
  r.on('error', () => {});
  await elapse(5);
  r.destroy();
  await elapse(20);
  assert.equal(await status(p.get()), 400);
});

test('text and binary by WebSocket come back', async (t) => {
  const ws = await openWs(t);
  for (const frame of ['4hello', Buffer.from([4, 1, 2, 3, 4]), '4', Buffer.from([4])]) {
    ws.send(frame);
    assert.deepEqual(await ws.next(), frame);
  }
});

test('an invalid packet by WebSocket closes it', async (t) => {
  const ws = await openWs(t);
  ws.send('abc');
  await ws.end();
});

test('heartbeat by polling, three times', async () => {
  const p = await poller3(gw, '&b64=1');
  for (let i = 0; i < 3; i++) {
    assert.equal(await status(p.post('1:2')), 200);
    const pull = await p.get();
    assert.deepEqual([pull.status, pull.body], [200, '1:3']);
  }
});

test('no ping by polling: gone when interval and timeout are over', async () => {
  const p = await poller3(gw, '&b64=1');
  await elapse(INTERVAL + TIMEOUT);
  assert.equal(await status(p.post('1:2')), 400);
});

test('heartbeat by WebSocket, three times', async (t) => {
  const ws = await openWs(t);
  for (let i = 0; i < 3; i++) {
    ws.send('2');
    assert.equal(await ws.next(), '3');
  }
});

test('no ping by WebSocket: closed', async (t) => {
  const ws = await openWs(t);
  await ws.end(INTERVAL + TIMEOUT + 300);
});

test('close by polling: the pending poll gets a noop', async () => {
  const p = await poller3(gw, '&b64=1');
  const [pull, push] = await Promise.all([p.get(), p.post('1:1')]);
  assert.deepEqual([pull.status, pull.body, push.status], [200, '1:6', 200]);
  assert.equal(await status(p.get()), 400);
});

test('close by WebSocket', async (t) => {
  const ws = await openWs(t);
  ws.send('1');
  await ws.end();
});

/* A polling session and a WebSocket that has probed. */
async function probed(t) {
  const p = await new Poller3(gw, '&b64=1').open();
  const ws = await rawWs(t, gw, `EIO=3&transport=websocket&sid=${p.sid}`);
  ws.send('2probe');
  assert.equal(await ws.next(), '3probe');
  return [p, ws];
}

async function echoes(ws) {
  ws.send('4hello');
  assert.equal(await ws.next(), '4hello');
}

test('upgrade: probe, noop, upgrade', async (t) => {
  const [p, ws] = await probed(t);
  const pull = await p.get();
  assert.deepEqual([pull.status, pull.body], [200, '1:6']);
  ws.send('5');
  await echoes(ws);
});

test('upgrade: no polling any more', async (t) => {
  const [p, ws] = await probed(t);
  ws.send('5');
  await echoes(ws);
  assert.equal(await status(p.get()), 400);
});

test('upgrade: a second WebSocket is closed without error', async (t) => {
  const [p, ws] = await probed(t);
  ws.send('5');
  const second = await rawWs(t, gw, `EIO=3&transport=websocket&sid=${p.sid}`);
  await second.end();
  await echoes(ws);
});
