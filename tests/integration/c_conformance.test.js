/* The checks of the public protocol suites (engine.io-protocol, socket.io-protocol), against the
 * same fixtures. The names are those of the suites' sections. The waits here are the protocol's: an
 * interval of 300 ms and a timeout of 200 ms. */
'use strict';
const { after, before, test } = require('node:test');
const assert = require('node:assert');
const { setTimeout: elapse } = require('node:timers/promises');
const path = require('node:path');
const { startRedis } = require('./cluster_harness');
const { fixture, gateway, poller, Poller, program, rawWs, RawWs, request } = require('./harness');
const { startWorker } = require('./work_harness');

const INTERVAL = 300;
const TIMEOUT = 200;
const SLACK = 150; /* a busy machine, not the protocol */
const KEYS = ['maxPayload', 'pingInterval', 'pingTimeout', 'sid', 'upgrades'];

function checkOpen(text, upgrades) {
  assert.equal(text[0], '0');
  const open = JSON.parse(text.slice(1));
  assert.deepEqual(Object.keys(open).sort(), KEYS);
  assert.equal(typeof open.sid, 'string');
  assert.deepEqual([open.upgrades, open.pingInterval, open.pingTimeout, open.maxPayload], [upgrades, INTERVAL, TIMEOUT, 1000000]);
  return open.sid;
}

/* They run for the whole file. Old clients must not make any difference to new ones. */
const SIO = ['sio-fixture', 'peal serve', 'gateway, Redis, worker'];
const NAMES = ['eio-echo', 'eio-echo --eio3', ...SIO];
const fixtures = {};
/* What the suites expect, for the product's own programs with the handler module. */
const SUITE = {
  'auth.mode': 'none', 'auth.secret': null, 'gateway.host': 'localhost', 'engine.ping_interval': INTERVAL,
  'engine.ping_timeout': TIMEOUT, 'cors.origins': '*', 'socketio.connect_timeout': 1000,
  'socketio.namespaces': '/,/custom', 'routes.events': '*=worker', 'routes.lifecycle': '*',
};
const HANDLERS = { 'worker.modules': path.join(program('sio-fixture'), '../sio-module.so') };
const file = { after(end) { file.end = end; } };
before(async () => {
  for (const name of NAMES.slice(0, 3)) fixtures[name] = await fixture(file, ...name.split(' '));
  fixtures['peal serve'] = await gateway(file, { ...SUITE, ...HANDLERS }, { name: 'peal', command: ['serve'] });
  const redis = await startRedis(file);
  const cluster = { 'redis.url': redis.url };
  fixtures['gateway, Redis, worker'] = await gateway(file, { ...SUITE, ...cluster });
  await startWorker(file, 'peal-worker', { ...HANDLERS, ...cluster });
});
after(() => file.end());

/* The WebSocket is not let in, or closed. */
async function shut(t, gw, query) {
  const ws = new RawWs(t, gw, query);
  await ws.end();
}

/* A WebSocket that has read its open packet. */
async function openWs(t, gw) {
  const ws = await rawWs(t, gw);
  ws.sid = checkOpen(await ws.next(), []);
  return ws;
}

async function probing(t, gw, sid) {
  const ws = await rawWs(t, gw, `EIO=4&transport=websocket&sid=${sid}`);
  ws.send('2probe');
  return ws;
}

const status = async (promise) => (await promise).status;

/* A request that is answered 400, or whose connection is cut. */
const rejected = async (promise) => {
  const r = await promise.catch(() => null);
  if (r) assert.equal(r.status, 400);
};

/* ---- all fixtures: the Engine.IO part */

for (const name of NAMES) {
  const check = (title, body) => test(`${name}: ${title}`, async (t) => body(t, fixtures[name]));

  check('handshake by polling (H1)', async (t, gw) => {
    const r = await request(gw, { query: 'EIO=4&transport=polling' });
    assert.equal(r.status, 200);
    checkOpen(r.body, ['websocket']);
    assert.equal(r.headers['access-control-allow-origin'], '*');
  });

  check('handshakes by polling that must fail (H2-H4)', async (t, gw) => {
    for (const query of ['transport=polling', 'EIO=abc&transport=polling', 'EIO=4', 'EIO=4&transport=abc'])
      assert.equal(await status(request(gw, { query })), 400, query);
    for (const method of ['POST', 'PUT']) assert.equal(await status(request(gw, { query: 'EIO=4&transport=polling', method })), 400, method);
  });

  check('handshake by WebSocket (H5)', async (t, gw) => {
    await openWs(t, gw);
  });

  check('handshakes by WebSocket that must fail (H6, H7)', async (t, gw) => {
    for (const query of ['transport=websocket', 'EIO=abc&transport=websocket', 'EIO=4', 'EIO=4&transport=abc']) await shut(t, gw, query);
  });

  check('heartbeat by polling, three times (B1)', async (t, gw) => {
    const p = await poller(gw);
    for (let i = 0; i < 3; i++) {
      const r = await p.get();
      assert.deepEqual([r.status, r.body], [200, '2']);
      assert.equal(await status(p.post('3')), 200);
    }
  });

  check('no pong by polling: gone when interval and timeout are over (B2)', async (t, gw) => {
    const p = await poller(gw);
    await elapse(INTERVAL + TIMEOUT);
    assert.equal(await status(p.get()), 400);
  });

  check('heartbeat by WebSocket, three times (B3)', async (t, gw) => {
    const ws = await openWs(t, gw);
    for (let i = 0; i < 3; i++) {
      const begun = Date.now();
      assert.equal(await ws.next(), '2');
      const took = Date.now() - begun;
      assert.ok(took > INTERVAL - 50 && took < INTERVAL + SLACK, `${took} ms`);
      ws.send('3');
    }
  });

  check('no pong by WebSocket: closed (B4)', async (t, gw) => {
    const ws = await openWs(t, gw);
    const begun = Date.now();
    await ws.end();
    const took = Date.now() - begun;
    assert.ok(took > INTERVAL + TIMEOUT - 60 && took < INTERVAL + TIMEOUT + SLACK, `${took} ms`);
  });

  check('close by polling: the pending poll gets a noop (C1)', async (t, gw) => {
    const p = await poller(gw);
    const [pull, push] = await Promise.all([p.get(), p.post('1')]);
    assert.deepEqual([pull.status, pull.body, push.status], [200, '6', 200]);
    assert.equal(await status(p.get()), 400);
  });

  check('close by WebSocket (C2)', async (t, gw) => {
    const ws = await openWs(t, gw);
    ws.send('1');
    await ws.end(2000);
  });

  check('upgrade: probe, noop, upgrade (U1)', async (t, gw) => {
    const p = await poller(gw);
    const ws = await probing(t, gw, p.sid);
    assert.equal(await ws.next(), '3probe');
    const r = await p.get();
    assert.deepEqual([r.status, r.body], [200, '6']);
    ws.send('5');
    if (SIO.includes(name)) return;
    ws.send('4hello');
    assert.equal(await ws.message(), '4hello');
  });

  check('upgrade: no polling any more (U2)', async (t, gw) => {
    const p = await poller(gw);
    const ws = await probing(t, gw, p.sid);
    ws.send('5');
    assert.equal(await status(p.get()), 400);
    assert.equal(await ws.next(), '3probe');
    ws.send('4hello');
    if (SIO.includes(name)) await ws.end();
    else assert.equal(await ws.message(), '4hello');
  });

  check('upgrade: a second WebSocket is closed without error (U3)', async (t, gw) => {
    const p = await poller(gw);
    const ws = await probing(t, gw, p.sid);
    ws.send('5');
    const second = await rawWs(t, gw, `EIO=4&transport=websocket&sid=${p.sid}`);
    await second.end();
    assert.equal(await ws.next(), '3probe');
    assert.equal(ws.ws.readyState, 1);
    if (SIO.includes(name)) return;
    ws.send('4hello');
    assert.equal(await ws.message(), '4hello');
  });
}

/* ---- the echo: messages */

const echo = (title, body) => NAMES.slice(0, 2).forEach((name) => test(`${name}: ${title}`, async (t) => body(t, fixtures[name])));

for (const [title, payload] of Object.entries({
  'a message (M1)': '4hello', 'several (M2)': '4test1\x1e4test2\x1e4test3', 'text and binary (M3)': '4hello\x1ebAQIDBA==',
})) {
  echo(`${title} by polling comes back in one answer`, async (t, gw) => {
    const p = await poller(gw);
    const push = await p.post(payload);
    assert.deepEqual([push.status, push.body], [200, 'ok']);
    const pull = await p.get();
    assert.deepEqual([pull.status, pull.body], [200, payload]);
  });
}

echo('an invalid packet by polling ends the session (M4)', async (t, gw) => {
  const p = await poller(gw);
  await rejected(p.post('abc'));
  assert.equal(await status(p.get()), 400);
});

echo('two polls at once end the session (M5)', async (t, gw) => {
  const p = await poller(gw);
  const first = p.get();
  await elapse(5);
  const second = await p.get();
  assert.ok([400, 500].includes(second.status));
  const r = await first;
  assert.deepEqual([r.status, r.body], [200, '1']);
  assert.equal(await status(p.get()), 400);
});

echo('an aborted poll ends the session (M6)', async (t, gw) => {
  const p = await poller(gw);
  const r = require('node:http').get({ host: '127.0.0.1', port: gw.port, path: `${gw.path}?${p.query}`, agent: false });
  r.on('error', () => {});
  await elapse(5);
  r.destroy();
  await elapse(20);
  assert.equal(await status(p.get()), 400);
});

echo('text and binary by WebSocket come back (M7, M8), also empty', async (t, gw) => {
  const ws = await openWs(t, gw);
  ws.send('4hello');
  assert.equal(await ws.message(), '4hello');
  ws.send(Buffer.from([1, 2, 3, 4]));
  assert.deepEqual(await ws.message(), Buffer.from([1, 2, 3, 4]));
  ws.send('4', Buffer.alloc(0));
  assert.equal(await ws.message(), '4');
  assert.deepEqual(await ws.message(), Buffer.alloc(0));
});

echo('an invalid packet by WebSocket closes it (M9)', async (t, gw) => {
  const ws = await openWs(t, gw);
  ws.send('abc');
  await ws.end();
});

/* ---- Socket.IO */

const sio = (title, body) => SIO.forEach((name) => test(`${name}: ${title}`, async (t) => body(t, fixtures[name])));

/* Everything behind the open packet is exact, so pings count as packets unless said otherwise. */
async function joined(t, gw) {
  const ws = await openWs(t, gw);
  ws.send('40');
  assert.match(await ws.next(), /^40\{"sid":"[\w-]{20}"\}$/);
  assert.equal(await ws.next(), '42["auth",{}]');
  return ws;
}

for (const [title, nsp, payload] of [
  ['the main namespace', '', ''], ['the main namespace, with a payload', '', '{"token":"123"}'],
  ['a custom namespace', '/custom,', ''], ['a custom namespace, with a payload', '/custom,', '{"token":"abc"}'],
]) {
  sio(`connect to ${title}`, async (t, gw) => {
    const ws = await openWs(t, gw);
    ws.send(`40${nsp}${payload}`);
    const answer = await ws.next();
    assert.ok(answer.startsWith(`40${nsp}{`), answer);
    const open = JSON.parse(answer.slice(answer.indexOf('{')));
    assert.deepEqual(Object.keys(open), ['sid']);
    assert.notEqual(open.sid, ws.sid);
    assert.equal(await ws.next(), `42${nsp}["auth",${payload || '{}'}]`);
  });
}

sio('connect to an unknown namespace', async (t, gw) => {
  const ws = await openWs(t, gw);
  ws.send('40/random');
  assert.equal(await ws.next(), '44/random,{"message":"Invalid namespace"}');
});

sio('an invalid handshake closes the connection', async (t, gw) => {
  const ws = await openWs(t, gw);
  ws.send('4abc');
  await ws.end();
});

sio('who joins nothing is closed, with pongs by the connect timeout', async (t, gw) => {
  const silent = await openWs(t, gw);
  const talking = await openWs(t, gw);
  const begun = Date.now();
  talking.ws.on('message', (d) => { if (String(d) === '2') talking.send('3'); });
  await silent.end();
  await talking.end();
  const took = Date.now() - begun;
  assert.ok(took > 900 && took < 1000 + 2 * SLACK, `${took} ms`);
});

sio('disconnect from the main namespace leaves the connection', async (t, gw) => {
  const ws = await joined(t, gw);
  ws.send('41');
  assert.equal(await ws.next(), '2');
});

sio('connect to and disconnect from a custom namespace', async (t, gw) => {
  const ws = await joined(t, gw);
  assert.equal(await ws.next(), '2');
  ws.send('40/custom');
  assert.match(await ws.next(), /^40\/custom,/);
  assert.match(await ws.next(), /^42\/custom,/);
  ws.send('41/custom', '42["message","message to main namespace"]');
  assert.equal(await ws.next(), '42["message-back","message to main namespace"]');
});

for (const [title, sent, back] of [
  ['a text message', ['42["message",1,"2",{"3":[true]}]'], ['42["message-back",1,"2",{"3":[true]}]']],
  ['a binary message', ['452-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]', Buffer.from([1, 2, 3]), Buffer.from([4, 5, 6])],
    ['452-["message-back",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]', Buffer.from([1, 2, 3]), Buffer.from([4, 5, 6])]],
  ['an ack', ['42456["message-with-ack",1,"2",{"3":[false]}]'], ['43456[1,"2",{"3":[false]}]']],
  ['a binary ack', ['452-789["message-with-ack",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]', Buffer.from([1, 2, 3]), Buffer.from([4, 5, 6])],
    ['462-789[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]', Buffer.from([1, 2, 3]), Buffer.from([4, 5, 6])]],
]) {
  sio(title, async (t, gw) => {
    const ws = await joined(t, gw);
    ws.send(...sent);
    for (const frame of back) assert.deepEqual(await ws.next(), frame);
  });
  sio(`${title}, by polling`, async (t, gw) => {
    const p = await new Poller(gw).open();
    await p.post('40');
    const [hello, auth] = await p.packets(2);
    assert.match(hello, /^40\{/);
    assert.equal(auth, '42["auth",{}]');
    const asText = (frames) => frames.map((f) => (typeof f === 'string' ? (/^4/.test(f) ? f : `4${f}`) : `b${f.toString('base64')}`));
    assert.equal((await p.post(asText(sent).join('\x1e'))).body, 'ok');
    assert.deepEqual(await p.packets(back.length), asText(back));
  });
}

for (const packet of ['4abc', '42{}', '42abc["message-with-ack",1,"2",{"3":[false]}]']) {
  sio(`the invalid packet ${packet} closes the connection`, async (t, gw) => {
    const ws = await joined(t, gw);
    ws.send(packet);
    await ws.end();
  });
}
