/* How it ends: SIGTERM, the log's two lines for a socket, and consumers that are too slow. */
'use strict';
const { test } = require('node:test');
const assert = require('node:assert');
const { once } = require('node:events');
const net = require('node:net');
const { ask, CLIENTS, connected, gateway, heard, poller, rawSio, rawWs, request, token, within } = require('./harness');

const OPEN = { 'auth.mode': 'none', 'auth.secret': null };
const OK = [{ status: 'ok' }];
const LONG = { 'gateway.shutdown_timeout': 60000 }; /* who runs into it fails the test */

const accepts = (port) => new Promise((resolve) => {
  const s = net.connect(port, '127.0.0.1', () => { s.destroy(); resolve(true); });
  s.on('error', () => resolve(false));
});

/* ---- SIGTERM */

test('SIGTERM: WebSockets get 1001, polling clients their close, and the program exits 0', async (t) => {
  const gw = await gateway(t, { ...OPEN, ...LONG });
  const ws = await rawSio(t, gw);
  const waiting = await (await poller(gw)).connect();
  const idle = await rawWs(t, gw); /* no namespace joined */
  const poll = waiting.get();
  await request(gw, { path: '/' }); /* the poll has been read */
  ws.ws.pause(); /* it will not answer the close frame, so the gateway has to wait */
  const stopped = gw.stop();
  assert.equal((await idle.end()).code, 1001);
  assert.equal((await poll).body, '1');
  assert.ok(!(await accepts(gw.port)), 'nothing is accepted while stopping');
  assert.equal(gw.child.exitCode, null);
  ws.ws.resume();
  assert.equal((await ws.end()).code, 1001);
  await stopped;
  assert.match(gw.log, /msg=stopped\n$/);
  assert.equal(gw.count(/msg=connected /), 2);
  assert.equal(gw.count(/msg=disconnected .*reason="server shutting down" age_ms=\d+/), 2);
  await reuse(gw.port);
});

/* The port can be listened on again at once. */
async function reuse(port) {
  const server = net.createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  server.close();
}

test('SIGTERM: a polling client between two polls gets its close on the connection it has', async (t) => {
  const gw = await gateway(t, { ...OPEN, ...LONG });
  const agent = new (require('node:http').Agent)({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  const p = await poller(gw);
  await p.post('40', { agent });
  assert.match((await p.get({ agent })).body, /^40/);
  assert.equal((await p.post('42["message","for the last poll"]', { agent })).body, 'ok');
  const stopped = gw.stop();
  await gw.line(/msg="signal 15: stopping"/);
  assert.equal((await p.get({ agent })).body, '42["message","for the last poll"]');
  assert.equal((await p.get({ agent })).body, '6\x1e1');
  await stopped;
});

for (const version of Object.keys(CLIENTS)) {
  for (const transports of [['websocket'], ['polling']]) {
    test(`SIGTERM: a ${version} client on ${transports} hears a transport's end, which it reconnects after`, async (t) => {
      const gw = await gateway(t, { ...OPEN, ...LONG, 'routes.events': 'note=none' });
      const sockets = [];
      for (let i = 0; i < 10; i++) sockets.push(await connected(t, gw, { client: version, transports }));
      for (const s of sockets) assert.deepEqual(await ask(s, 'note', 'x'), OK);
      await request(gw, { path: '/' }); /* their next polls have been read */
      const gone = sockets.map((s) => heard(s, 'disconnect'));
      const stopped = gw.stop();
      for (const g of gone) assert.equal((await g)[0], 'transport close');
      await stopped;
      assert.equal(gw.count(/msg=disconnected /), 10);
    });
  }
}

test('clients come back by themselves when the gateway is started again', async (t) => {
  const first = await gateway(t, OPEN);
  const again = { reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 50 };
  const sockets = [];
  for (const version of Object.keys(CLIENTS))
    for (const transports of [['websocket'], ['polling'], ['polling', 'websocket']])
      sockets.push(await connected(t, first, { client: version, transports, ...again }));
  const gone = sockets.map((s) => heard(s, 'disconnect'));
  await first.stop();
  for (const g of gone) assert.match((await g)[0], /^transport (close|error)$/);
  const back = sockets.map((s) => heard(s, 'connect'));
  await gateway(t, { ...OPEN, 'gateway.port': first.port });
  await Promise.all(back);
  for (const s of sockets) assert.deepEqual(await ask(s, 'message', 'x'), OK);
});

test('SIGTERM: what is queued for a client still reaches it', async (t) => {
  const gw = await gateway(t, { ...OPEN, ...LONG });
  const [slow, sender] = [await rawSio(t, gw), await rawSio(t, gw)];
  slow.ws.pause();
  const text = `42["message","${'x'.repeat(100000)}"]`;
  for (let i = 0; i < 20; i++) {
    sender.send(text);
    assert.equal(await sender.message(), text);
  }
  const stopped = gw.stop();
  assert.equal((await sender.end()).code, 1001);
  slow.ws.resume();
  for (let i = 0; i < 20; i++) assert.equal(await slow.message(), text);
  assert.equal((await slow.end()).code, 1001);
  await stopped;
});

test('SIGTERM: who does not take leave is not waited for beyond gateway.shutdown_timeout', async (t) => {
  const gw = await gateway(t, { ...OPEN, 'gateway.shutdown_timeout': 300 });
  const ws = await rawSio(t, gw);
  await (await poller(gw)).connect();
  const half = net.connect(gw.port, '127.0.0.1');
  t.after(() => half.destroy());
  half.on('error', () => {});
  half.write('GET /socket.io/?EIO=4');
  ws.ws.pause();
  const begun = Date.now();
  await gw.stop();
  assert.ok(Date.now() - begun < 3000);
});

test('SIGINT does the same, and a second signal ends at once', async (t) => {
  const gw = await gateway(t, { ...OPEN, ...LONG });
  await (await poller(gw)).connect();
  const stopped = gw.stop('SIGINT');
  await gw.line(/msg="signal 2: stopping"/);
  gw.child.kill('SIGTERM');
  await stopped;
  assert.match(gw.log, /msg="signal 15: ending at once"/);
});

/* ---- the log */

const LINE = /^time=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z level=info msg=(connected|disconnected) sid=([\w-]{20}) ns=(\S+) user=(\S+) addr=127\.0\.0\.1 transport=(\w+)(?: reason=(\w+|"[^"]+") age_ms=(\d+))?$/;

test('one line at connect and one at disconnect, with reason and age', async (t) => {
  const gw = await gateway(t, { 'socketio.namespaces': '/,/chat' });
  const auth = { token: await token({ sub: 'ann' }) };
  const ends = {
    'client namespace disconnect': async (ws) => ws.send('41'),
    'transport close': async (ws) => ws.ws.terminate(),
    'transport error': async (ws) => ws.send('2'),
    'parse error': async (ws) => ws.send('x'),
    'protocol error': async (ws) => ws.send('4x'),
  };
  let n = 0;
  for (const [reason, end] of Object.entries(ends)) {
    const ws = await rawSio(t, gw, { auth });
    await end(ws);
    await gw.line(new RegExp(`sid=${ws.sid} .*reason="${reason}" age_ms=\\d+$`));
    const lines = gw.lines.filter((l) => l.includes(ws.sid)).map((l) => LINE.exec(l));
    assert.deepEqual(lines.map((m) => m && m[1]), ['connected', 'disconnected'], gw.log);
    assert.deepEqual(lines[1].slice(3, 7), ['/', 'ann', 'websocket', `"${reason}"`]);
    assert.ok(Number(lines[1][7]) < 5000);
    n++;
  }
  assert.equal(gw.count(/msg=connected/), n);
  assert.equal(gw.count(/msg=disconnected/), n);
  const ws = await rawSio(t, gw, { auth, nsp: '/chat' });
  await gw.line(new RegExp(`msg=connected sid=${ws.sid} ns=/chat user=ann `));
});

test('a polling client that is thrown out between two polls is gone at once and gets nothing new', async (t) => {
  const gw = await gateway(t, OPEN);
  const p = await (await poller(gw)).connect();
  const sender = await rawSio(t, gw);
  sender.send(big(1));
  assert.equal(await sender.message(), big(1));
  assert.equal((await p.post('42/nowhere,["x"]')).body, 'ok');
  await gw.line(/msg=disconnected .*transport=polling reason="protocol error"/);
  sender.send(big(2));
  assert.equal(await sender.message(), big(2));
  assert.equal((await p.get()).body, big(1), 'what was queued before');
  assert.equal((await p.get()).body, '6\x1e1');
});

test('a subject cannot forge a log line', async (t) => {
  const gw = await gateway(t);
  await rawSio(t, gw, { auth: { token: await token({ sub: 'a" reason="b\\ ü=' }) } });
  await gw.line(/user="a\\" reason=\\"b\\\\ ü=" addr=/);
});

/* ---- slow consumers */

const big = (n) => `42["message","${'x'.repeat(n)}"]`;

test('a slow consumer is closed by bytes; the others are unharmed', async (t) => {
  const gw = await gateway(t, { ...OPEN, 'queue.max_bytes': 1000000 });
  const [fast, slow, sender] = [await rawSio(t, gw), await rawSio(t, gw), await rawSio(t, gw)];
  await (await poller(gw)).connect(); /* never polls again */
  slow.ws.pause();
  const text = big(100000);
  for (let n = 0; gw.count(/reason="slow consumer/) < 2; n++) {
    assert.ok(n < 200, `not both are closed:\n${gw.log}`);
    sender.send(text);
    assert.equal(await fast.message(), text);
    assert.equal(await sender.message(), text);
  }
  await gw.line(new RegExp(`sid=${slow.sid} .*transport=websocket reason="slow consumer: too many bytes waiting"`));
  await gw.line(/transport=polling reason="slow consumer: too many bytes waiting"/);
  assert.equal(gw.count(/msg=disconnected/), 2);
  sender.send(big(1));
  assert.equal(await fast.message(), big(1));
  slow.ws.resume();
  await slow.end();
});

test('a slow consumer is closed by age; the others are unharmed', async (t) => {
  const gw = await gateway(t, { ...OPEN, 'queue.max_age': 500, 'queue.max_bytes': 100000000 });
  const [fast, slow, sender] = [await rawSio(t, gw), await rawSio(t, gw), await rawSio(t, gw)];
  await (await poller(gw)).connect();
  slow.ws.pause();
  const text = big(900000);
  for (let i = 0; i < 10; i++) {
    sender.send(text);
    assert.equal((await fast.message()).length, text.length);
    assert.equal((await sender.message()).length, text.length);
  }
  const reason = 'reason="slow consumer: nothing taken for too long"';
  await gw.line(new RegExp(`sid=${slow.sid} .*${reason}`));
  await gw.line(new RegExp(`transport=polling ${reason}`));
  assert.equal(gw.count(/msg=disconnected/), 2);
  sender.send(big(1));
  assert.equal(await fast.message(), big(1));
});

test('an HTTP client that does not read its answer is closed by age', async (t) => {
  const gw = await gateway(t, { ...OPEN, 'queue.max_age': 300, 'queue.max_bytes': 100000000 });
  const p = await (await poller(gw)).connect();
  const sender = await rawSio(t, gw);
  for (let i = 0; i < 15; i++) {
    sender.send(big(900000));
    await sender.message();
  }
  const s = net.connect(gw.port, '127.0.0.1');
  s.pause();
  t.after(() => s.destroy());
  s.write(`GET /socket.io/?${p.query} HTTP/1.1\r\nHost: x\r\n\r\n`);
  const closed = within(new Promise((resolve) => s.on('error', resolve).on('close', resolve)), 'reset by the gateway');
  await request(gw, { path: '/' });
  /* Nothing is read until the gateway has given up: it sees no progress for max_age. */
  const until = Date.now() + 1200;
  while (Date.now() < until) await request(gw, { path: '/' });
  s.resume();
  let bytes = 0;
  s.on('data', (d) => { bytes += d.length; });
  await closed;
  assert.ok(bytes < 15 * 900000, `${bytes} bytes`);
});

test('a client that reads slowly but reads is not closed', async (t) => {
  const gw = await gateway(t, { ...OPEN, 'queue.max_age': 400, 'queue.max_bytes': 100000000 });
  const [slow, sender] = [await rawSio(t, gw), await rawSio(t, gw)];
  slow.ws.pause();
  const text = big(900000);
  for (let i = 0; i < 12; i++) {
    sender.send(text);
    await sender.message();
  }
  for (let i = 0; i < 12; i++) {
    slow.ws.resume();
    assert.equal((await slow.message()).length, text.length);
    slow.ws.pause();
    await request(gw, { path: '/' });
  }
  assert.equal(gw.count(/msg=disconnected/), 0);
});
