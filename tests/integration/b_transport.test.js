/* The way between client and gateway: polling, WebSocket, the upgrade, heartbeats, and plain HTTP. */
'use strict';
const { test } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const zlib = require('node:zlib');
const {
  accepted, answers, ask, client, CLIENT_DIST, CLIENTS, connected, exchange, gateway, heard, inbox, poller, rawSio, rawWs,
  RawWs, request, tempDir, within,
} = require('./harness');

const OPEN = { 'auth.mode': 'none', 'auth.secret': null };
const OK = [{ status: 'ok' }];
const HANDSHAKE = 'EIO=4&transport=polling';
const ORIGIN = 'https://app.example';

/* ---- transports and the upgrade */

const upgraded = ({ io: { engine } }) => engine.transport.name === 'websocket' || heard(engine, 'upgrade');

for (const version of Object.keys(CLIENTS)) {
  test(`${version}: polling only, websocket only, and the upgrade`, async (t) => {
    const gw = await gateway(t, OPEN);
    for (const [transports, first, last] of [
      [['polling'], 'polling', 'polling'], [['websocket'], 'websocket', 'websocket'], [['polling', 'websocket'], 'polling', 'websocket'],
    ]) {
      const socket = client(t, gw, { client: version, transports });
      await accepted(socket);
      if (first !== last) await upgraded(socket);
      assert.equal(socket.io.engine.transport.name, last);
      assert.deepEqual(await ask(socket, 'message', 'x'), OK);
    }
  });
}

test('transports and upgrades can be switched off', async (t) => {
  const only = await gateway(t, { ...OPEN, 'engine.transports': 'websocket' });
  assert.equal((await request(only, { query: HANDSHAKE })).body, '{"code":0,"message":"Transport unknown"}');
  await connected(t, only);
  const polling = await gateway(t, { ...OPEN, 'engine.transports': 'polling' });
  const socket = await connected(t, polling, { transports: ['polling', 'websocket'] });
  assert.deepEqual((await poller(polling)).handshake.upgrades, []);
  assert.deepEqual(await ask(socket, 'message', 'x'), OK);
  const ws = new RawWs(t, polling);
  await assert.rejects(ws.open(), /400/);
  const still = await gateway(t, { ...OPEN, 'engine.allow_upgrades': false });
  assert.deepEqual((await poller(still)).handshake.upgrades, []);
});

test('the handshake says what is configured', async (t) => {
  const gw = await gateway(t, { ...OPEN, 'engine.ping_interval': 1234, 'engine.ping_timeout': 2345, 'gateway.max_payload': 34567 });
  const r = await request(gw, { query: HANDSHAKE });
  assert.match(r.body, /^0\{"sid":"[\w-]{20}","upgrades":\["websocket"\],"pingInterval":1234,"pingTimeout":2345,"maxPayload":34567\}$/);
  assert.equal(r.headers['content-type'], 'text/plain; charset=UTF-8');
  assert.equal(r.headers['cache-control'], 'no-store');
  const ws = await rawWs(t, gw);
  assert.match(await ws.next(), /^0\{"sid":"[\w-]{20}","upgrades":\[\],"pingInterval":1234,"pingTimeout":2345,"maxPayload":34567\}$/);
});

/* Numbers both ways while 20 clients change from polling to WebSocket. Each message passes the gateway
 * twice: sent by one, it comes out at all. A client begins its upgrade when messages have come by
 * polling, so that the traffic is certainly there before, during and after it. */
test('upgrade under traffic in both directions: nothing lost, nothing out of order', async (t) => {
  const MANY = 20;
  const gw = await gateway(t, OPEN);
  const feeder = await connected(t, gw);
  let back = 0;
  feeder.on('message', (from) => { if (from === 'feeder') back++; });
  const peers = Array.from({ length: MANY }, (_, i) => {
    const socket = client(t, gw, { transports: ['polling', 'websocket'], client: i % 2 ? '4.x' : '3.x', upgrade: false });
    const peer = { socket, sent: 0, got: new Map(), by: { polling: 0, websocket: 0 } };
    peer.up = heard(socket.io, 'open').then(() => heard(socket.io.engine, 'upgrade'));
    peer.ended = new Promise((resolve, reject) => {
      let ends = 0;
      socket.on('message', (from, n) => {
        const { engine } = socket.io;
        peer.by[engine.transport.name]++;
        if (peer.by.polling === 50) (engine._probe ?? engine.probe).call(engine, 'websocket');
        const next = peer.got.get(from) ?? n; /* what came before it connected it does not know */
        if (n === 'end') ends++;
        else if (n !== next) reject(new Error(`${i} got ${n} from ${from}, not ${next}`));
        else peer.got.set(from, n + 1);
        if (ends === MANY + 1) resolve();
      });
      socket.on('disconnect', (reason) => reject(new Error(`${i}: ${reason}`)));
    });
    peer.ended.catch(() => {});
    return peer;
  });
  let up = 0;
  for (const p of peers) p.up.then(() => up++, () => {});
  let fed = 0;
  const limit = Date.now() + 20000;
  while (up < MANY || fed < 2000) {
    assert.ok(Date.now() < limit, `only ${up} are upgraded`);
    for (let k = 0; k < 10 && fed - back < 200; k++) feeder.emit('message', 'feeder', fed++);
    for (const [i, p] of peers.entries()) if (p.socket.connected && p.sent < 200) p.socket.emit('message', i, p.sent++);
    await new Promise(setImmediate);
  }
  feeder.emit('message', 'feeder', 'end');
  peers.forEach((p, i) => p.socket.emit('message', i, 'end'));
  await within(Promise.all(peers.map((p) => p.ended)), 'all messages at all clients', 20000);
  for (const [i, p] of peers.entries()) {
    assert.equal(p.got.get('feeder'), fed);
    peers.forEach((other, k) => assert.equal(p.got.get(k), other.sent, `${i} from ${k}`));
    assert.ok(p.by.polling >= 50 && p.by.websocket > 50, JSON.stringify(p.by));
  }
});

test('the upgrade by hand: probe, noop for the pending poll, queue handed over', async (t) => {
  const gw = await gateway(t, OPEN);
  const p = await (await poller(gw)).connect();
  const ws = await rawWs(t, gw, `EIO=4&transport=websocket&sid=${p.sid}`);
  const pending = p.get();
  ws.send('2probe');
  assert.equal(await ws.next(), '3probe');
  assert.equal((await pending).body, '6');
  assert.equal((await p.post('420["message","while nobody polls"]')).body, 'ok');
  ws.send('5');
  assert.equal(await ws.next(), '42["message","while nobody polls"]');
  assert.equal(await ws.next(), '430[{"status":"ok"}]');
  assert.deepEqual([(await p.get()).body, (await p.post('42["x"]')).body], Array(2).fill('{"code":3,"message":"Bad request"}'));
  ws.send('42["message","by ws"]');
  assert.equal(await ws.next(), '42["message","by ws"]');
});

test('a probe that does not go on is closed and the session stays on polling', async (t) => {
  const gw = await gateway(t, { ...OPEN, 'engine.upgrade_timeout': 200 });
  const p = await (await poller(gw)).connect();
  for (const frames of [['42["message"]'], ['junk'], [Buffer.from([1])], ['2probe', '42["message"]'], ['3probe'], []]) {
    const ws = await rawWs(t, gw, `EIO=4&transport=websocket&sid=${p.sid}`);
    ws.send(...frames);
    await ws.end();
  }
  const gone = await rawWs(t, gw, `EIO=4&transport=websocket&sid=${p.sid}`);
  gone.send('2probe');
  assert.equal(await gone.next(), '3probe');
  gone.ws.terminate();
  assert.equal((await p.post('42["message",1]')).body, 'ok');
  assert.deepEqual(await p.packets(1), ['42["message",1]']);
  const last = await rawWs(t, gw, `EIO=4&transport=websocket&sid=${p.sid}`);
  last.send('2probe');
  assert.equal(await last.next(), '3probe');
  last.send('5', '42["message",2]');
  assert.equal(await last.next(), '42["message",2]');
});

test('WebSocket: text beginning with b is base64 binary; b64=1 sends binary so', async (t) => {
  const gw = await gateway(t, OPEN);
  const ws = await rawSio(t, gw, { query: '&b64=1' });
  ws.send('451-["message",{"_placeholder":true,"num":0}]', 'bAQIDBA==');
  assert.equal(await ws.message(), '451-["message",{"_placeholder":true,"num":0}]');
  assert.equal(await ws.message(), 'bAQIDBA==');
});

test('WebSocket frames: pieces, pings between them, the close handshake, no compression', async (t) => {
  const gw = await gateway(t, OPEN);
  const ws = await rawSio(t, gw, { perMessageDeflate: true });
  assert.equal(ws.ws.extensions, '');
  const packet = '42["message","é in pieces"]';
  const bytes = Buffer.from(packet);
  for (let i = 0; i < bytes.length; i++) {
    ws.ws.send(bytes.subarray(i, i + 1), { binary: false, fin: i === bytes.length - 1 });
    if (i % 5 === 0) ws.ws.ping(`ping ${i}`);
  }
  const pong = heard(ws.ws, 'pong');
  assert.equal(await ws.message(), packet);
  assert.match(String((await pong)[0]), /^ping \d+$/);
  ws.ws.close(1000, 'bye');
  assert.equal((await ws.end()).code, 1000);
  await gw.line(/msg=disconnected .*reason="transport close"/);
});

test('packets sent together with the upgrade request are not lost', async (t) => {
  const gw = await gateway(t, OPEN);
  const frame = (text) => {
    const body = Buffer.from(text);
    return Buffer.concat([Buffer.from([0x81, 0x80 | body.length, 0, 0, 0, 0]), body]);
  };
  const head = Buffer.from('GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\n' +
    'upgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n');
  const text = await exchange(gw, Buffer.concat([head, frame('40'), frame('42["message","early"]')]), {
    enough: (all) => all.includes('42["message","early"]'),
  });
  assert.match(text, /^HTTP\/1\.1 101 [^]*Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n(?:[^]*\r\n)?\r\n[^]*0\{"sid"[^]*40\{"sid"/i);
});

test('the client reconnects after the gateway has closed it', async (t) => {
  const gw = await gateway(t, { ...OPEN, 'gateway.max_payload': 2000 });
  for (const [version, transports] of [['4.x', ['websocket']], ['3.x', ['websocket']], ['4.x', ['polling']], ['4.x', ['polling', 'websocket']]]) {
    const socket = await connected(t, gw, { client: version, transports, reconnection: true, reconnectionDelay: 10, reconnectionDelayMax: 20 });
    const { id } = socket;
    const gone = heard(socket, 'disconnect');
    const back = heard(socket, 'connect');
    socket.emit('message', 'x'.repeat(3000)); /* too much */
    assert.match((await gone)[0], /transport (close|error)/);
    await back;
    assert.notEqual(socket.id, id);
    assert.deepEqual(await ask(socket, 'message', 'again'), OK);
    socket.disconnect();
  }
});

/* ---- heartbeats */

test('heartbeats with short intervals keep sessions on both transports', async (t) => {
  const gw = await gateway(t, { ...OPEN, 'engine.ping_interval': 50, 'engine.ping_timeout': 500 });
  const ws = await rawSio(t, gw);
  const socket = await connected(t, gw, { transports: ['polling'] });
  let pings = 0;
  socket.io.engine.on('heartbeat', () => { pings++; });
  for (let i = 0; i < 10; i++) {
    assert.equal(await ws.next(), '2');
    ws.send('3');
  }
  assert.deepEqual(await ask(socket, 'message', 'x'), OK);
  assert.ok(socket.connected && pings > 2, `${pings} pings`);
});

test('who answers no ping is closed: ping timeout', async (t) => {
  const gw = await gateway(t, { ...OPEN, 'engine.ping_interval': 100, 'engine.ping_timeout': 100 });
  const ws = await rawSio(t, gw);
  assert.equal(await ws.next(), '2');
  await ws.end();
  await gw.line(/msg=disconnected .*transport=websocket reason="ping timeout" age_ms=\d+/);
  const p = await (await poller(gw)).connect();
  assert.equal((await p.get()).body, '2');
  assert.equal((await p.get()).body, '1');
  await gw.line(/msg=disconnected .*transport=polling reason="ping timeout"/);
});

/* ---- polling answers */

test('large polling answers are gzipped if the client takes gzip', async (t) => {
  const gw = await gateway(t, OPEN);
  const large = `42["message","${'large and repetitive '.repeat(500)}"]`;
  const ask1 = async (p, message) => {
    assert.equal((await p.post(message)).body, 'ok');
    return p.get();
  };
  const yes = await (await poller(gw, '', { 'Accept-Encoding': 'deflate, gzip' })).connect();
  const packed = await ask1(yes, large);
  assert.equal(packed.headers['content-encoding'], 'gzip');
  assert.equal(Number(packed.headers['content-length']), packed.bytes.length);
  assert.ok(packed.bytes.length < large.length / 5);
  assert.equal(zlib.gunzipSync(packed.bytes).toString(), large);
  assert.equal((await ask1(yes, '42["message","small"]')).headers['content-encoding'], undefined);
  for (const encoding of ['gzip;q=0', 'br', 'identity']) {
    const no = await (await poller(gw, '', { 'Accept-Encoding': encoding })).connect();
    const plain = await ask1(no, large);
    assert.equal(plain.headers['content-encoding'], undefined, encoding);
    assert.equal(plain.body, large);
    await no.post('1');
  }
  const off = await gateway(t, { ...OPEN, 'engine.compression_threshold': 0 });
  const p = await (await poller(off, '', { 'Accept-Encoding': 'gzip' })).connect();
  assert.equal((await ask1(p, large)).body, large);
});

test('the balancer\'s cookie comes with the polling handshake only', async (t) => {
  const gw = await gateway(t, { ...OPEN, 'engine.cookie': 'io' });
  const first = await request(gw, { query: HANDSHAKE });
  const { sid } = JSON.parse(first.body.slice(1));
  assert.deepEqual(first.headers['set-cookie'], [`io=${sid}; Path=/; HttpOnly; SameSite=Lax`]);
  const p = Object.assign(await poller(gw), {});
  await p.post('40');
  assert.equal((await p.get()).headers['set-cookie'], undefined);
  const ws = await rawWs(t, gw);
  assert.equal(ws.response.headers['set-cookie'], undefined);
});

/* ---- refusals */

test('refusals on polling: status, body and code', async (t) => {
  const gw = await gateway(t, OPEN);
  const { sid } = await poller(gw);
  const upgraded = await (await poller(gw)).connect();
  const ws = await rawWs(t, gw, `EIO=4&transport=websocket&sid=${upgraded.sid}`);
  ws.send('2probe', '5', '42["message"]');
  assert.equal(await ws.next(), '3probe');
  assert.equal(await ws.next(), '42["message"]');
  const says = [
    [0, 'Transport unknown'], [1, 'Session ID unknown'], [2, 'Bad handshake method'], [3, 'Bad request'], [4, 'Forbidden'],
    [5, 'Unsupported protocol version'],
  ];
  for (const [query, code, method] of [
    ['', 0], ['EIO=4', 0], ['EIO=4&transport=', 0], ['EIO=4&transport=abc', 0], ['EIO=4&transport=webtransport', 0],
    ['EIO=4&transport=polling&sid=abc', 1], [`EIO=4&transport=polling&sid=${'x'.repeat(5000)}`, 1], ['EIO=4&transport=websocket&sid=abc', 1],
    [`EIO=4&transport=polling&sid=${sid.slice(0, 19)}${sid.endsWith('A') ? 'B' : 'A'}`, 1],
    [HANDSHAKE, 2, 'POST'], [HANDSHAKE, 2, 'PUT'], [HANDSHAKE, 2, 'DELETE'], [HANDSHAKE, 2, 'OPTIONS'], ['transport=polling', 2, 'POST'],
    ['EIO=4&transport=websocket', 3], [`EIO=4&transport=websocket&sid=${sid}`, 3], [`EIO=3&transport=polling&sid=${sid}`, 3],
    [`EIO=4&transport=polling&sid=${upgraded.sid}`, 3],
    ['transport=polling', 5], ['EIO=3&transport=polling', 5], ['EIO=abc&transport=polling', 5], ['EIO=44&transport=polling', 5],
    ['EIO=4&EIO=5&transport=polling', 5],
  ]) {
    const r = await request(gw, { query, method });
    const [number, message] = says[code];
    assert.equal(r.body, JSON.stringify({ code: number, message }), `${method} ${query.slice(0, 80)}`);
    assert.equal(r.status, 400);
    assert.equal(r.headers['content-type'], 'application/json');
  }
  for (const query of [`${HANDSHAKE}&sid=`, 'EIO=5&EIO=4&transport=abc&transport=polling', '%45IO=4&transport=p%6flling'])
    assert.equal((await request(gw, { query })).status, 200, query);
  const head = await request(gw, { query: HANDSHAKE, method: 'HEAD' });
  assert.deepEqual([head.status, head.body], [400, '']);
  for (const method of ['PUT', 'HEAD', 'DELETE']) {
    const r = await request(gw, { query: `${HANDSHAKE}&sid=${sid}`, method });
    assert.deepEqual([r.status, r.body], [500, ''], method);
  }
});

test('upgrade refusals are raw: 400, text/html, the message', async (t) => {
  const gw = await gateway(t, { ...OPEN, 'cors.origins': ORIGIN });
  const up = (query, more = '') => exchange(gw, `GET /socket.io/?${query} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n` +
    `Upgrade: websocket\r\nOrigin: ${ORIGIN}\r\n${more || 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'}\r\n`);
  for (const [query, message, more] of [
    ['EIO=4&transport=websocket&sid=abc', 'Session ID unknown'],
    ['EIO=4', 'Transport unknown'], ['EIO=4&transport=abc', 'Transport unknown'],
    ['EIO=3&transport=websocket', 'Unsupported protocol version'], ['transport=websocket', 'Unsupported protocol version'],
    ['EIO=4&transport=polling', 'Bad request'],
    ['EIO=4&transport=websocket', 'Bad request', 'Sec-WebSocket-Version: 13\r\n'],
    ['EIO=4&transport=websocket', 'Bad request', 'Sec-WebSocket-Version: 7\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'],
    ['EIO=4&transport=websocket', 'Bad request', 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n'],
  ]) {
    const [r, ...rest] = answers(await up(query, more));
    assert.deepEqual([r.status, r.body, rest.length], [400, message, 0], query);
    assert.equal(r.headers['content-type'], 'text/html');
    assert.equal(r.headers.connection, 'close');
    assert.equal(r.headers['access-control-allow-origin'], ORIGIN);
  }
});

test('polling rules: overlap, bad packets, close, octet-stream, an abandoned poll', async (t) => {
  const gw = await gateway(t, OPEN);
  const gone = async (p) => assert.equal((await p.get()).body, '{"code":1,"message":"Session ID unknown"}');

  const two = await (await poller(gw)).connect();
  const first = two.get();
  await reading(two);
  const second = await two.get();
  assert.deepEqual([(await first).body, second.status, second.body], ['1', 400, '']);
  await gone(two);

  const bad = await (await poller(gw)).connect();
  assert.deepEqual(await bad.post('42["message",1]\x1eabc\x1e42["message",2]').then((r) => [r.status, r.body]), [400, '']);
  await gone(bad);

  const closing = await (await poller(gw)).connect();
  const waiting = closing.get();
  await reading(closing);
  assert.equal((await closing.post('1')).body, 'ok');
  assert.equal((await waiting).body, '6');
  await gone(closing);

  const octets = await (await poller(gw)).connect();
  assert.equal((await octets.post('42["x"]', { headers: { 'Content-Type': 'application/octet-stream' } })).status, 400);
  await gone(octets);

  const empty = await (await poller(gw)).connect();
  assert.equal((await empty.post('')).status, 400);
  await gone(empty);

  const left = await (await poller(gw)).connect();
  await exchange(gw, `GET /socket.io/?${left.query} HTTP/1.1\r\nHost: x\r\n\r\n`, { half: true }).catch(() => {});
  await gw.line(/msg=disconnected .*reason="transport error"/);
  await gone(left);
});

/* Until the gateway has read the poll that was just sent: a request sent later has been answered. */
const reading = (p) => request(p.gw, { path: '/' });

/* ---- plain HTTP */

test('the client bundle at <path>/socket.io.js is the dist file', async (t) => {
  const gw = await gateway(t, { ...OPEN, 'gateway.client_dir': CLIENT_DIST });
  for (const name of fs.readdirSync(CLIENT_DIST)) {
    const r = await request(gw, { path: `/socket.io/${name}` });
    assert.equal(r.status, 200, name);
    assert.ok(r.bytes.equals(fs.readFileSync(path.join(CLIENT_DIST, name))), name);
    assert.equal(r.headers['content-type'], name.endsWith('.map') ? 'application/json; charset=utf-8' : 'application/javascript; charset=utf-8');
    assert.match(r.headers.etag, /^"[\w.-]+"$/);
    for (const tag of [r.headers.etag, `W/${r.headers.etag}`]) {
      const same = await request(gw, { path: `/socket.io/${name}`, headers: { 'If-None-Match': tag } });
      assert.deepEqual([same.status, same.body, same.headers.etag], [304, '', r.headers.etag]);
    }
    assert.equal((await request(gw, { path: `/socket.io/${name}`, headers: { 'If-None-Match': '"x"' } })).status, 200);
    const head = await request(gw, { path: `/socket.io/${name}`, method: 'HEAD' });
    assert.deepEqual([head.status, head.body, head.headers['content-length']], [200, '', String(r.bytes.length)]);
  }
  assert.equal((await request(gw, { path: '/socket.io/other.js' })).body, '{"code":0,"message":"Transport unknown"}');
  for (const name of ['..%2fpackage.json', '../package.json', '%2e%2e/package.json'])
    assert.notEqual((await request(gw, { path: `/socket.io/${name}` })).status, 200, name);
  /* As a page's <script> runs it: no module system around. */
  const { body } = await request(gw, { path: '/socket.io/socket.io.js' });
  const page = { setTimeout, clearTimeout, location: { protocol: 'http:', hostname: 'x', port: '' } };
  page.self = page.window = page;
  require('node:vm').runInNewContext(body, page);
  assert.equal(typeof page.io, 'function');
});

test('static files: what is in the folder and nothing else', async (t) => {
  const dir = tempDir(t);
  const pub = path.join(dir, 'public');
  fs.mkdirSync(path.join(pub, 'sub'), { recursive: true });
  fs.writeFileSync(path.join(dir, 'secret.txt'), 'secret');
  fs.writeFileSync(path.join(pub, 'index.html'), '<h1>hi</h1>');
  fs.writeFileSync(path.join(pub, 'sub/index.html'), 'sub');
  fs.writeFileSync(path.join(pub, 'a b.css'), 'css');
  fs.writeFileSync(path.join(pub, '.hidden'), 'hidden');
  fs.symlinkSync('../secret.txt', path.join(pub, 'link.txt'));
  fs.symlinkSync('index.html', path.join(pub, 'inside.html'));
  const gw = await gateway(t, { ...OPEN, 'gateway.static_dir': pub });
  for (const [target, body, type] of [
    ['/', '<h1>hi</h1>', 'text/html; charset=utf-8'], ['/index.html', '<h1>hi</h1>', 'text/html; charset=utf-8'], ['/index.html?x=1', '<h1>hi</h1>', 'text/html; charset=utf-8'],
    ['/sub/', 'sub', 'text/html; charset=utf-8'], ['/a%20b.css', 'css', 'text/css; charset=utf-8'],
    ['/inside.html', '<h1>hi</h1>', 'text/html; charset=utf-8'],
  ]) {
    const r = await request(gw, { path: target });
    assert.deepEqual([r.status, r.body, r.headers['content-type']], [200, body, type], target);
    assert.equal(r.headers['x-content-type-options'], 'nosniff');
    assert.equal((await request(gw, { path: target, headers: { 'If-None-Match': r.headers.etag } })).status, 304);
  }
  for (const target of [
    '/../secret.txt', '/%2e%2e/secret.txt', '/..%2fsecret.txt', '/sub/../../secret.txt', '/sub/%2e%2e/%2e%2e/secret.txt', '/..\\secret.txt',
    '/%5c..%5csecret.txt', '//etc/passwd', '/%2fetc/passwd', '/.hidden', '/sub/./index.html', '/link.txt', '/index.html%00.css', '/nothing', '/sub',
    '/%zz', `/${'x'.repeat(5000)}`, '/%c0%ae%c0%ae/secret.txt',
  ]) {
    const r = answers(await exchange(gw, `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`))[0];
    assert.equal(r.status, 404, target);
    assert.doesNotMatch(r.body, /secret|root:/);
  }
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
    const r = await request(gw, { path: '/', method });
    assert.deepEqual([r.status, r.headers.allow], [405, 'GET, HEAD'], method);
  }
  const head = await request(gw, { path: '/', method: 'HEAD' });
  assert.deepEqual([head.status, head.body, head.headers['content-length']], [200, '', '11']);
});

test('the path works without its trailing slash, another path is 404', async (t) => {
  const gw = await gateway(t, OPEN);
  assert.equal((await request(gw, { path: '/socket.io', query: HANDSHAKE })).status, 200);
  const ws = await rawWs(t, gw, undefined, { path: '/socket.io' });
  assert.match(await ws.next(), /^0/);
  const socket = client(t, gw, { addTrailingSlash: false, transports: ['polling', 'websocket'] });
  await accepted(socket);
  await upgraded(socket);
  for (const target of ['/', '/socket.iox/', '/socket', '/x/socket.io/', '/SOCKET.IO/'])
    assert.equal((await request(gw, { path: target, query: HANDSHAKE })).status, 404, target);
  const own = await gateway(t, { ...OPEN, 'gateway.path': '/deep/er' });
  const there = await connected(t, own, { path: '/deep/er', transports: ['polling', 'websocket'] });
  assert.deepEqual(await ask(there, 'message', 1), OK);
  assert.equal((await request(own, { path: '/socket.io/', query: HANDSHAKE })).status, 404);
});

/* ---- CORS */

const cors = (r) => Object.fromEntries(Object.entries(r.headers).filter(([k]) => k.startsWith('access-control') || k === 'vary'));

test('CORS off: no headers, OPTIONS is no handshake', async (t) => {
  const gw = await gateway(t, OPEN);
  const r = await request(gw, { query: HANDSHAKE, headers: { Origin: ORIGIN } });
  assert.deepEqual([r.status, cors(r)], [200, {}]);
  assert.equal((await request(gw, { query: HANDSHAKE, method: 'OPTIONS', headers: { Origin: ORIGIN } })).body, '{"code":2,"message":"Bad handshake method"}');
});

test('CORS for any origin', async (t) => {
  const gw = await gateway(t, { ...OPEN, 'cors.origins': '*' });
  for (const headers of [{}, { Origin: ORIGIN }])
    assert.deepEqual(cors(await request(gw, { query: HANDSHAKE, headers })), { 'access-control-allow-origin': '*' });
  const pre = await request(gw, { query: HANDSHAKE, method: 'OPTIONS', headers: { Origin: ORIGIN, 'Access-Control-Request-Headers': 'x-a, x-b' } });
  assert.deepEqual([pre.status, pre.body, pre.headers['content-length']], [204, '', '0']);
  assert.deepEqual(cors(pre), {
    'access-control-allow-origin': '*', 'access-control-allow-methods': 'GET,HEAD,PUT,PATCH,POST,DELETE',
    'access-control-allow-headers': 'x-a, x-b', vary: 'Access-Control-Request-Headers',
  });
});

test('CORS for named origins, with credentials: on answers, errors, preflights and the 101', async (t) => {
  const gw = await gateway(t, {
    ...OPEN, 'cors.origins': `${ORIGIN},http://localhost:5173`, 'cors.credentials': true, 'cors.allowed_headers': 'x-token',
    'cors.exposed_headers': 'x-seen', 'cors.methods': 'GET,POST', 'cors.max_age': 600,
  });
  const expected = (origin) => ({
    ...(origin && { 'access-control-allow-origin': origin }), vary: 'Origin', 'access-control-allow-credentials': 'true',
    'access-control-expose-headers': 'x-seen',
  });
  for (const [origin, answer] of [[ORIGIN, ORIGIN], ['http://localhost:5173', 'http://localhost:5173'], ['https://evil.example', null], [undefined, null],
    ['https://app.example.evil.example', null], ['https://app.example:444', null], ['null', null]]) {
    const headers = origin ? { Origin: origin } : {};
    const ok = await request(gw, { query: HANDSHAKE, headers });
    assert.deepEqual([ok.status, cors(ok)], [200, expected(answer)], origin);
    assert.deepEqual(cors(await request(gw, { query: 'EIO=4', headers })), expected(answer));
    const ws = await rawWs(t, gw, undefined, { headers });
    assert.deepEqual(cors(ws.response), expected(answer));
    const pre = await request(gw, { query: HANDSHAKE, method: 'OPTIONS', headers });
    assert.equal(pre.status, 204);
    assert.deepEqual(cors(pre), {
      ...expected(answer), 'access-control-allow-methods': 'GET,POST', 'access-control-allow-headers': 'x-token', 'access-control-max-age': '600',
    });
  }
  const p = await poller(gw, '', { Origin: ORIGIN });
  assert.deepEqual(cors(await p.post('40')), expected(ORIGIN));
  assert.deepEqual(cors(await p.get()), expected(ORIGIN));
  assert.deepEqual(cors(await p.post('x'.repeat(20), { headers: { Origin: ORIGIN } })), expected(ORIGIN), 'on a 400, too');
});

test('the first offered subprotocol is accepted', async (t) => {
  const gw = await gateway(t, OPEN);
  const url = `ws://127.0.0.1:${gw.port}/socket.io/?EIO=4&transport=websocket`;
  const ws = new (require('ws'))(url, ['one', 'two']);
  t.after(() => ws.terminate());
  await heard(ws, 'open');
  assert.equal(ws.protocol, 'one');
});

/* ---- HTTP connections */

const GET = `GET /socket.io/?${HANDSHAKE} HTTP/1.1\r\nHost: x\r\n`;

test('keep-alive: many requests on one connection; close and HTTP/1.0 end it', async (t) => {
  const gw = await gateway(t, OPEN);
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  for (let i = 0; i < 20; i++) {
    const r = await request(gw, { query: i % 3 ? HANDSHAKE : 'EIO=4', agent });
    assert.equal(r.headers.connection, 'keep-alive');
  }
  assert.equal(Object.values(agent.freeSockets).flat().length, 1);
  assert.equal(answers(await exchange(gw, `${GET}Connection: close\r\n\r\n`))[0].headers.connection, 'close');
  assert.equal(answers(await exchange(gw, `GET /socket.io/?${HANDSHAKE} HTTP/1.0\r\n\r\n`))[0].status, 200);
});

test('pipelined requests are answered in order, also behind a poll that waits', async (t) => {
  const gw = await gateway(t, OPEN);
  const p = await (await poller(gw)).connect();
  const session = (method, more = '') => `${method} /socket.io/?${p.query} HTTP/1.1\r\nHost: x\r\n${more}`;
  const body = '42["message","piped"]';
  const post = `${session('POST')}Content-Length: ${body.length}\r\n\r\n${body}`;
  const piped = `${post}${session('GET')}\r\nGET /nothing HTTP/1.1\r\nHost: x\r\n\r\n${GET}\r\nHEAD / HTTP/1.1\r\nHost: x\r\n\r\n` +
    `GET /socket.io/?EIO=4 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`;
  const text = await exchange(gw, piped);
  assert.deepEqual(text.match(/HTTP\/1\.1 \d+/g).map((s) => Number(s.slice(9))), [200, 200, 404, 200, 404, 400]);
  const parts = ['ok', body, 'not found', '0{"sid"', 'HTTP/1.1 404', 'Transport unknown'].map((s) => text.indexOf(s));
  assert.ok(parts.every((at, i) => at >= 0), text);

  const waiting = exchange(gw, `${session('GET')}\r\nGET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  await reading(p);
  assert.equal((await p.post(body)).body, 'ok');
  const both = answers(await waiting);
  assert.deepEqual(both.map((r) => [r.status, r.body]), [[200, body], [404, 'not found\n']]);
});

test('the same requests come out the same however the bytes are cut', async (t) => {
  const gw = await gateway(t, OPEN);
  const p = await (await poller(gw)).connect();
  const body = '42["message","é"]';
  const bytes = Buffer.from(`POST /socket.io/?${p.query} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n` +
    `5;x=y\r\n${body.slice(0, 5)}\r\n${(Buffer.byteLength(body) - 5).toString(16)}\r\n${body.slice(5)}\r\n0\r\nTrailer: x\r\n\r\n` +
    `GET /socket.io/?${p.query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  for (const size of [1, 2, 7, 64, bytes.length]) {
    const text = await within(new Promise((resolve, reject) => {
      const s = require('node:net').connect({ port: gw.port, host: '127.0.0.1', noDelay: true });
      let all = '';
      let at = 0;
      const more = () => {
        if (at >= bytes.length) return;
        s.write(bytes.subarray(at, at += size), more);
      };
      s.on('connect', more).on('error', reject).on('data', (d) => { all += d; }).on('end', () => resolve(all));
    }), `pieces of ${size}`);
    assert.match(text, /\r\n\r\nokHTTP\/1\.1 200 OK/);
    assert.ok(text.endsWith(body), text);
  }
});

test('lengths that conflict or are none are refused with 400 and a close', async (t) => {
  const gw = await gateway(t, OPEN);
  const p = await (await poller(gw)).connect();
  const post = `POST /socket.io/?${p.query} HTTP/1.1\r\nHost: x\r\n`;
  for (const [name, text, status = 400] of [
    ['two different lengths', 'Content-Length: 2\r\nContent-Length: 3\r\n\r\n42x'],
    ['two lengths in one', 'Content-Length: 2, 3\r\n\r\n42x'],
    ['length and chunked', 'Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['a negative length', 'Content-Length: -1\r\n\r\n'], ['a signed length', 'Content-Length: +2\r\n\r\n42'],
    ['a hexadecimal length', 'Content-Length: 0x2\r\n\r\n42'], ['an empty length', 'Content-Length:\r\n\r\n'],
    ['a length beyond 64 bits', 'Content-Length: 99999999999999999999999\r\n\r\n'],
    ['chunked twice', 'Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n', 501],
    ['an unknown encoding', 'Transfer-Encoding: gzip\r\n\r\n', 501],
    ['a space before the colon', 'Content-Length : 2\r\n\r\n42'],
    ['a folded line', 'X: a\r\n b\r\n\r\n'], ['a bare LF', 'X: a\nY: b\r\n\r\n'], ['a bare CR', 'X: a\rb\r\n\r\n'], ['two hosts', 'Host: y\r\n\r\n'],
  ]) {
    const [r, ...rest] = answers(await exchange(gw, post + text));
    assert.deepEqual([r.status, rest.length, r.headers.connection], [status, 0, 'close'], name);
  }
  for (const [name, text, status] of [
    ['no host', 'GET / HTTP/1.1\r\n\r\n', 400], ['no HTTP', 'hello\r\n\r\n', 400], ['TLS', '\x16\x03\x01\x02\x00\x01\x00', 400],
    ['another version', 'GET / HTTP/2.0\r\nHost: x\r\n\r\n', 505], ['a long line', `GET /${'x'.repeat(20000)}`, 414],
    ['a long head', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20000)}`, 431],
    ['many fields', `GET / HTTP/1.1\r\nHost: x\r\n${'X: y\r\n'.repeat(200)}\r\n`, 431],
  ]) assert.equal(answers(await exchange(gw, Buffer.from(text, 'latin1')))[0].status, status, name);
  for (const chunks of ['zz\r\nab\r\n0\r\n\r\n', '-1\r\n', '2\r\nabX0\r\n\r\n', '2\nab\n0\n\n']) {
    const q = await (await poller(gw)).connect();
    const [r] = answers(await exchange(gw, `POST /socket.io/?${q.query} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`));
    assert.equal(r.status, 400, chunks);
  }
  assert.equal((await p.post('42["message",1]')).body, 'ok', 'the session has not suffered');
});

test('bodies over the limit are refused before they are read, and the session lives on', async (t) => {
  const gw = await gateway(t, { ...OPEN, 'gateway.max_payload': 2000 });
  const p = await (await poller(gw)).connect();
  const post = `POST /socket.io/?${p.query} HTTP/1.1\r\nHost: x\r\n`;
  for (const rest of ['Content-Length: 2001\r\n\r\n', 'Content-Length: 99999999999\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\n7d1\r\n',
    `Transfer-Encoding: chunked\r\n\r\n7d0\r\n${'x'.repeat(2000)}\r\n1\r\n`]) {
    const [r] = answers(await exchange(gw, post + rest));
    assert.deepEqual([r.status, r.body, r.headers.connection], [413, '', 'close'], rest.slice(0, 60));
  }
  assert.equal((await p.post('42["message",1]')).body, 'ok');
  assert.deepEqual(await p.packets(1), ['42["message",1]']);
});

test('Expect: 100-continue is answered before the body', async (t) => {
  const gw = await gateway(t, OPEN);
  const p = await (await poller(gw)).connect();
  const [status, body] = await within(new Promise((resolve, reject) => {
    const r = http.request({ host: '127.0.0.1', port: gw.port, method: 'POST', path: `/socket.io/?${p.query}`, agent: false, headers: { Expect: '100-continue', 'Content-Length': 14 } });
    r.on('continue', () => r.end('42["message",1]'.slice(0, 14)));
    r.on('error', reject);
    r.on('response', (res) => res.setEncoding('utf8').once('data', (d) => resolve([res.statusCode, d])));
    r.flushHeaders();
  }), 'answer');
  assert.deepEqual([status, body], [200, 'ok']);
});

test('slow heads and slow bodies are timed out', async (t) => {
  const gw = await gateway(t, { ...OPEN, 'gateway.head_timeout': 200, 'gateway.body_timeout': 200, 'gateway.keepalive_timeout': 200 });
  const p = await (await poller(gw)).connect();
  await exchange(gw, '').catch(() => {});
  await exchange(gw, 'GET /socket').catch(() => {});
  assert.match(await exchange(gw, `${GET}\r\n`), /^HTTP\/1\.1 200 [^]*\}$/, 'idle after an answer: closed');
  await exchange(gw, `POST /socket.io/?${p.query} HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n42["mess`).catch(() => {});
  assert.equal((await p.get()).status, 400, 'an abandoned body ends the session');
});

test('IPv6, IPv4 and localhost', async (t) => {
  const six = await gateway(t, { ...OPEN, 'gateway.host': '::1' });
  assert.equal((await request(six, { host: '::1', query: HANDSHAKE })).status, 200);
  const ws = await rawSio(t, six, { host: '[::1]' });
  ws.send('42["message",6]');
  assert.equal(await ws.message(), '42["message",6]');
  await six.line(/msg=connected .*addr=::1 /);
  const both = await gateway(t, { ...OPEN, 'gateway.host': 'localhost' });
  for (const host of ['127.0.0.1', '::1']) assert.equal((await request(both, { host, query: HANDSHAKE })).status, 200, host);
  const list = await gateway(t, { ...OPEN, 'gateway.host': '127.0.0.1,127.0.0.2' });
  for (const host of ['127.0.0.1', '127.0.0.2']) assert.equal((await request(list, { host, query: HANDSHAKE })).status, 200, host);
});

test('more connections than configured are refused with 503', async (t) => {
  const gw = await gateway(t, { ...OPEN, 'gateway.max_connections': 16 });
  const all = [];
  for (let i = 0; i < 16; i++) all.push(await rawSio(t, gw));
  assert.match(await exchange(gw, `${GET}\r\n`), /^HTTP\/1\.1 503 /);
  all[0].ws.close();
  await all[0].end();
  await gw.line(/msg=disconnected/);
  await rawSio(t, gw);
});
