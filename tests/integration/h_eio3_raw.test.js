/* Engine.IO 3 byte by byte: payloads, JSONP, heartbeats, closes, overlaps, and what no client sends. */
'use strict';
const { test } = require('node:test');
const assert = require('node:assert');
const http = require('node:http');
const vm = require('node:vm');
const { answers, exchange, gateway, poller, Poller, RawWs, rawSio, rawWs, request, token, until } = require('./harness');
const { binaryPayload, EIO3, OPEN, poller3, textPackets, textPayload } = require('./eio3_harness');

const BYTES = Buffer.from([1, 2, 3, 4]);
const UNKNOWN = { code: 1, message: 'Session ID unknown' };
const BAD = { code: 3, message: 'Bad request' };
const FORM = 'application/x-www-form-urlencoded';
const BINARY = ['451-["message",{"_placeholder":true,"num":0}]', Buffer.from([4, 1, 2, 3, 4])];

const open = (t, settings) => gateway(t, { ...OPEN, ...settings });
const json = (r) => [r.status, JSON.parse(r.body)];
const form = (payload) => `d=${encodeURIComponent(payload.replace(/\\n/g, '\\\\n'))}`;

/* A WebSocket that has read its open packet and the CONNECT of "/". */
async function openWs(t, gw, query = '') {
  const ws = await rawWs(t, gw, `EIO=3&transport=websocket${query}`);
  ws.handshake = JSON.parse((await ws.next()).slice(1));
  assert.equal(await ws.next(), '40');
  return ws;
}

/* ---- payloads */

test('text payloads: lengths are of UTF-16 units; JSON in answers is ASCII', async (t) => {
  const gw = await open(t);
  const p = await poller3(gw, '&b64=1');
  assert.deepEqual([Object.keys(p.handshake), p.handshake.upgrades], [['sid', 'upgrades', 'pingInterval', 'pingTimeout', 'maxPayload'], ['websocket']]);
  assert.deepEqual(await p.packets(1), ['40']);
  const r = await p.post(textPayload('42["message","é€\u{1f600}"]', '2'));
  assert.deepEqual([r.status, r.body, r.headers['content-type']], [200, 'ok', 'text/html']);
  const answer = await p.get();
  assert.equal(answer.headers['content-type'], 'text/plain; charset=UTF-8');
  assert.equal(answer.headers['cache-control'], 'no-store');
  const [pong, message] = p.packetsOf(answer).sort();
  assert.equal(pong, '3');
  assert.equal(message, '42["message","\\u00e9\\u20ac\\ud83d\\ude00"]');
});

test('binary: a binary payload for who takes it, base64 for the others, latched at the handshake', async (t) => {
  const gw = await open(t);
  const [plain, b64] = [await poller3(gw), await poller3(gw, '&b64=1')];
  for (const p of [plain, b64]) await p.packets(1);
  assert.equal((await plain.post(textPayload(BINARY[0], 'b4AQIDBA=='))).body, 'ok');
  const r = await plain.get();
  assert.equal(r.headers['content-type'], 'application/octet-stream');
  assert.deepEqual(r.bytes, binaryPayload(...BINARY));
  const s = await b64.get();
  assert.deepEqual([s.headers['content-type'], s.body], ['text/plain; charset=UTF-8', `${textPayload(BINARY[0])}10:b4AQIDBA==`]);
  /* The other way in, and text alone stays text. */
  assert.equal((await plain.post(binaryPayload(...BINARY, '42["message","€"]'), 'application/octet-stream')).body, 'ok');
  assert.deepEqual(await plain.packets(3), [...BINARY, '42["message","€"]']);
  assert.deepEqual(await b64.packets(3), [...BINARY, '42["message","\\u20ac"]']);
  assert.equal((await plain.post(textPayload('42["message",1]'))).body, 'ok');
  assert.equal((await plain.get()).body, textPayload('42["message",1]'));
});

test('a base64 WebSocket gets text frames; a new client beside it what it is used to', async (t) => {
  const gw = await open(t);
  const [ws, b64, late] = [await openWs(t, gw), await openWs(t, gw, '&b64=1'), await rawSio(t, gw)];
  b64.send(BINARY[0], 'b4AQIDBA==');
  assert.deepEqual([await ws.next(), await ws.next()], BINARY);
  assert.deepEqual([await b64.next(), await b64.next()], [BINARY[0], 'b4AQIDBA==']);
  assert.deepEqual([await late.message(), await late.message()], [BINARY[0], BYTES]);
  late.send(BINARY[0], BYTES);
  assert.deepEqual([await ws.next(), await ws.next()], BINARY);
  assert.deepEqual([await b64.next(), await b64.next()], [BINARY[0], 'b4AQIDBA==']);
});

test('large answers are compressed, binary ones and scripts, too', async (t) => {
  const gw = await open(t);
  for (const query of ['', '&b64=1', '&j=1']) {
    const p = await poller3(gw, query);
    await p.packets(1);
    const payload = textPayload(`451-["message",{"_placeholder":true,"num":0},"${'x'.repeat(5000)}"]`, 'b4AQIDBA==');
    assert.equal((await (query === '&j=1' ? p.post(form(payload), FORM) : p.post(payload))).body, 'ok');
    const r = await p.get({ headers: { 'Accept-Encoding': 'gzip' } });
    assert.equal(r.headers['content-encoding'], 'gzip');
    const body = require('node:zlib').gunzipSync(r.bytes);
    assert.deepEqual(p.packetsOf({ ...r, bytes: body, body: body.toString() }).at(-1), BINARY[1]);
  }
});

/* ---- JSONP */

test('JSONP: answers are scripts for the callback of the handshake, posts are forms', async (t) => {
  const gw = await open(t);
  const texts = ['plain', '"\'\\', 'line\nfeed', 'back\\n', '\\\\n', '</script><!--', '\u2028\u2029', 'é€\u{1f600}', '\0', 'a=b&c+d%41'];
  const p = await poller3(gw, '&j=7&b64=1');
  assert.deepEqual(await p.packets(1), ['40']);
  for (const text of texts) {
    const r = await p.post(form(textPayload(`42${JSON.stringify(['message', text])}`)), FORM);
    assert.deepEqual([r.status, r.body], [200, 'ok']);
    const answer = await p.get({});
    assert.equal(answer.headers['content-type'], 'text/plain; charset=UTF-8');
    assert.match(answer.body, /^___eio\[7\]\("[ !#-;=?-\[\]-~\\"]*"\);$/, 'plain ASCII without < > and what ends a line');
    const calls = [];
    vm.runInNewContext(answer.body, { ___eio: { 7: (payload) => calls.push(payload) } });
    assert.equal(calls.length, 1);
    assert.deepEqual(JSON.parse(/^\d+:42(.*)$/s.exec(calls[0])[1]), ['message', text]);
  }
});

test('JSONP: binary comes as base64, heartbeats and closes as scripts', async (t) => {
  const gw = await open(t);
  const p = await poller3(gw, '&j=0');
  await p.packets(1);
  assert.equal((await p.post(form(textPayload(BINARY[0], 'b4AQIDBA==')), FORM)).body, 'ok');
  assert.deepEqual(await p.packets(2), BINARY);
  assert.equal((await p.post(form('1:2'), FORM)).body, 'ok');
  assert.equal((await p.get()).body, '___eio[0]("1:3");');
  const [pull, push] = await Promise.all([p.get(), p.post(form('1:1'), FORM)]);
  assert.deepEqual([pull.body, push.body], ['___eio[0]("1:6");', 'ok']);
});

test('JSONP: an index that is no number is refused, other characters in it are not echoed', async (t) => {
  const gw = await open(t);
  for (const j of ['', 'x', '1234567890', '%00', 'x'.repeat(500)])
    assert.deepEqual(json(await request(gw, { query: `EIO=3&transport=polling&j=${j}` })), [400, BAD], j);
  const r = await request(gw, { query: `EIO=3&transport=polling&j=${encodeURIComponent(']=alert(1)//5')}` });
  assert.match(r.body, /^___eio\[15\]\("/);
  const v4 = await request(gw, { query: 'EIO=4&transport=polling&j=1' });
  assert.match(v4.body, /^0\{/, 'version 4 has no JSONP');
});

test('JSONP: a cookie\'s token does not count, for any page can load a script; the query\'s does', async (t) => {
  const gw = await gateway(t, { ...EIO3, 'auth.cookie': 'session' });
  const [tok, required] = [await token(), '44{"message":"jwt must be provided","code":"credentials_required","type":"UnauthorizedError"}'];
  const first = async (query) => {
    const r = await request(gw, { query: `EIO=3&transport=polling${query}`, headers: { Cookie: `session=${tok}` } });
    const script = /^___eio\[0\]\((".*")\);$/.exec(r.body);
    return textPackets(script ? JSON.parse(script[1]) : r.body)[1];
  };
  assert.equal(await first(''), '40');
  assert.equal(await first('&j=0'), required);
  assert.equal(await first(`&j=0&token=${tok}`), '40');
});

test('JSONP: forms that are none', async (t) => {
  const gw = await open(t);
  const p = await poller3(gw, '&j=0');
  await p.packets(1);
  assert.equal((await p.post('x=1', FORM)).body, 'ok', 'nothing in it, as in the reference');
  assert.equal((await p.post('d=%zz', FORM)).status, 400);
  assert.deepEqual(json(await p.get()), [400, UNKNOWN]);
});

test('JSONP: upgrades to a WebSocket', async (t) => {
  const gw = await open(t);
  const p = await poller3(gw, '&j=3');
  await p.packets(1);
  const ws = await rawWs(t, gw, `EIO=3&transport=websocket&sid=${p.sid}`);
  ws.send('2probe');
  assert.equal(await ws.next(), '3probe');
  assert.equal((await p.get()).body, '___eio[3]("1:6");');
  ws.send('5', ...BINARY);
  assert.deepEqual([await ws.next(), await ws.next()], BINARY);
});

/* ---- heartbeats: an interval of 200 ms, a timeout of 150 ms */

const BRIEF = { 'engine.ping_interval': 200, 'engine.ping_timeout': 150 };
const took = async (promise) => {
  const begun = Date.now();
  await promise;
  return Date.now() - begun;
};
const near = (ms) => assert.ok(ms > 300 && ms < 2000, `${ms} ms`);

test('who never pings is closed: WebSocket, polling, and behind an upgrade', async (t) => {
  const gw = await open(t, BRIEF);
  const ws = await openWs(t, gw);
  near(await took(ws.end()));

  const p = await poller3(gw, '&b64=1');
  await p.packets(1);
  const pull = p.get();
  near(await took(pull));
  assert.equal((await pull).body, '1:1');
  assert.deepEqual(json(await p.get()), [400, UNKNOWN]);

  const q = await poller3(gw);
  const up = await rawWs(t, gw, `EIO=3&transport=websocket&sid=${q.sid}`);
  up.send('2probe');
  await up.next();
  up.send('5', '42["message",1]');
  assert.equal(await up.next(), '42["message",1]');
  near(await took(up.end()));
  await gw.line(new RegExp(`msg=disconnected sid=${q.sid} .*reason="ping timeout"`));
});

test('only pings keep a session, and they do so behind an upgrade', async (t) => {
  const gw = await open(t, BRIEF);
  const p = await poller3(gw);
  const ws = await rawWs(t, gw, `EIO=3&transport=websocket&sid=${p.sid}`);
  ws.send('2probe');
  assert.equal(await ws.next(), '3probe');
  ws.send('5');
  const begun = Date.now();
  while (Date.now() - begun < 900) {
    ws.send('2');
    assert.equal(await ws.next(), '3');
  }
  const talk = setInterval(() => ws.send('42["message",1]'), 40);
  t.after(() => clearInterval(talk));
  near(await took(ws.end()));
});

test('the server does not ping, and a client\'s pong ends the session', async (t) => {
  const gw = await open(t, BRIEF);
  const ws = await openWs(t, gw);
  ws.send('2probe');
  assert.equal(await ws.next(), '3', 'what stands behind the 2 is not sent back');
  ws.send('3');
  await ws.end();
  assert.equal(ws.frames.items.length, 0);
});

/* ---- closes and overlaps */

test('closes: by the client, by the server with and without a poll', async (t) => {
  const gw = await open(t, { 'socketio.connect_timeout': 250, 'socketio.namespaces': '/chat' });
  const p = await poller3(gw, '&b64=1');
  const [pull, push] = await Promise.all([p.get(), p.post('1:1')]);
  assert.deepEqual([pull.status, pull.body, push.body], [200, '1:6', 'ok']);
  const q = await poller3(gw, '&b64=1');
  assert.equal((await q.get()).body, '1:1');
  const r = await poller3(gw, '&b64=1');
  /* Who came later and polls hears the end: then r's time is up, too. */
  const later = await poller3(gw, '&b64=1');
  assert.equal((await later.get()).body, '1:1');
  assert.equal((await r.get()).body, '1:61:1');
  for (const x of [p, q, r, later]) assert.deepEqual(json(await x.get()), [400, UNKNOWN]);
});

test('overlapping polls and posts end the session, as do aborted ones', async (t) => {
  const gw = await open(t);
  const p = await poller3(gw, '&b64=1');
  await p.packets(1);
  const first = p.get();
  await until(async () => true, 'a tick');
  const second = await p.get();
  const one = await first;
  assert.deepEqual([one.status, one.body, second.status, second.body].sort(), [200, '1:1', 400, ''].sort());
  assert.deepEqual(json(await p.get()), [400, UNKNOWN]);

  const q = await poller3(gw, '&b64=1');
  await q.packets(1);
  const r = http.get({ host: '127.0.0.1', port: gw.port, path: `${gw.path}?${q.query}`, agent: false });
  r.on('error', () => {});
  r.on('socket', (s) => s.once('connect', () => setImmediate(() => r.destroy())));
  await gw.line(new RegExp(`msg=disconnected sid=${q.sid} .*reason="transport error"`));
});

test('the version is the session\'s: later requests with another are bad', async (t) => {
  const gw = await open(t);
  const [p3, p4] = [await poller3(gw), await poller(gw)];
  for (const [sid, eio] of [[p3.sid, '4'], [p3.sid, ''], [p3.sid, 'x'], [p4.sid, '3'], [p4.sid, 'x']]) {
    assert.deepEqual(json(await request(gw, { query: `EIO=${eio}&transport=polling&sid=${sid}` })), [400, BAD]);
    assert.deepEqual(json(await request(gw, { method: 'POST', query: `EIO=${eio}&transport=polling&sid=${sid}`, body: '1:2' })), [400, BAD]);
    await new RawWs(t, gw, `EIO=${eio}&transport=websocket&sid=${sid}`).end();
  }
  assert.deepEqual(await p3.packets(1), ['40'], 'they live on');
  await p4.connect();
});

/* ---- hostile input */

test('bodies that are no payloads end the session, and what stood before the bad place counts', async (t) => {
  const gw = await open(t);
  const bodies = [
    '', 'abc', '4hello', ':', '1', '1:', '6:4hell', '01:2', '-1:2', '+1:2', ' 1:2', '1 :2', '1e0:2', '99999999999999999999:2', '0x1:2',
    '1:7', '1:9', '1:x', '3:b4x', '6:b4!!!!', '2:4😀', '1:21', '1:2\u0000', '1:2:', '9:4hello',
    Buffer.from([0x32, 0x3a, 0x34, 0xff]), Buffer.from([0x32, 0x3a, 0x34, 0xc3]), 'd=1:2',
  ];
  for (const body of bodies) {
    const p = await poller3(gw, '&b64=1');
    await p.packets(1);
    assert.equal((await p.post(body)).status, 400, String(body));
    assert.deepEqual(json(await p.get()), [400, UNKNOWN], String(body));
  }
  const watcher = await rawSio(t, gw);
  const p = await poller3(gw);
  await p.packets(1);
  assert.equal((await p.post(`${textPayload('42["message",1]')}junk`)).status, 400);
  assert.equal(await watcher.message(), '42["message",1]');
});

test('binary bodies that are no payloads end the session', async (t) => {
  const gw = await open(t);
  const ff = 0xff;
  const bodies = [
    [0], [1], [0, ff], [0, 1], [0, 1, ff], [0, 2, ff, 0x34], [2, 1, ff, 0x32], [0, 10, ff, 0x32], [0, 0, 1, ff, 0x32],
    [0, ...Array(400).fill(9), ff], [0, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, ff, 0x32],
    [0, 2, ff, 0x34, 0xc3], [1, 1, ff, 7], [1, 2, ff, 0x34, 0x34], [0, 1, ff, 0x39], [0, 1, ff, 0x32, 0], [0x31, 0x3a, 0x32],
  ];
  for (const body of bodies) {
    const p = await poller3(gw);
    await p.packets(1);
    assert.equal((await p.post(Buffer.from(body), 'application/octet-stream')).status, 400, body.slice(0, 9).join());
    assert.deepEqual(json(await p.get()), [400, UNKNOWN], body.slice(0, 9).join());
  }
});

test('frames that are no packets, and packets at the wrong time, close the WebSocket', async (t) => {
  const gw = await open(t, { 'socketio.namespaces': '/,/chat' });
  const frames = [
    'x', '', '9', 'b', 'b4!', 'bx', Buffer.alloc(0), Buffer.from([7, 1]), Buffer.from([0x34, 0x31]), Buffer.from([4]), '4', '4x', '40', '40/?a=1',
    '42/chat,["message"]', '44"x"', '42["connect"]', '40//', '40/%%%?a=%ff', `40/${'x'.repeat(200)}`, `40/${'é'.repeat(60)}`, '1',
  ];
  for (const frame of frames) {
    const ws = await openWs(t, gw);
    ws.send(frame);
    await ws.end();
  }
  const ws = await openWs(t, gw);
  ws.send('0', '5', '6', '41/chat/../', '2');
  assert.equal(await ws.next(), '3', 'what means nothing is ignored; "/" was left by its other name');
});

test('what is longer than the limit is refused: bodies, forms, frames', async (t) => {
  const gw = await open(t, { 'gateway.max_payload': 2000 });
  for (const [query, type, body] of [['', undefined, '4'.repeat(3000)], ['&j=0', FORM, `d=${'%41'.repeat(1000)}`], ['', 'application/octet-stream', Buffer.alloc(2001)]]) {
    const p = await poller3(gw, query);
    await p.packets(1);
    assert.equal((await p.post(body, type)).status, 413);
    assert.equal((await (query ? p.post(form('1:2'), FORM) : p.post('1:2'))).status, 200, 'the session lives on');
  }
  const ws = await openWs(t, gw);
  ws.send(Buffer.concat([Buffer.from([4]), Buffer.alloc(3000)]));
  assert.equal((await ws.end()).code, 1009);
});

test('what a client may send before it is authenticated is bounded as ever', async (t) => {
  const gw = await gateway(t, { ...EIO3, 'auth.mode': 'event', 'auth.pending_max_packets': 5, 'socketio.namespaces': '/,/chat' });
  const ws = await openWs(t, gw);
  for (let i = 0; i < 6; i++) ws.send('42["x"]');
  await ws.end();
  await gw.line(new RegExp(`sid=${ws.handshake.sid} `));
  const p = await poller3(gw);
  await p.packets(1);
  assert.equal((await p.post(textPayload(...Array(20).fill('42["x"]')))).status, 200);
  await gw.line(new RegExp(`sid=${p.sid} .*reason=`));
});

test('joining and leaving in a circle is bounded', async (t) => {
  const gw = await gateway(t, { ...EIO3, 'socketio.namespaces': '/,/chat' });
  const ws = await openWs(t, gw, `&token=${await token()}`);
  for (let i = 0; i < 80; i++) ws.send('40/chat,', '41/chat,');
  await ws.end();
  await gw.line(new RegExp(`msg=disconnected sid=${ws.handshake.sid} `));
  assert.ok(gw.count(/msg=connected sid=\/chat#/) <= 64);
});

test('an octet-stream body is still no business of version 4', async (t) => {
  const gw = await open(t);
  const p = await new Poller(gw).open();
  const r = await p.post('40', { headers: { 'Content-Type': 'application/octet-stream' } });
  assert.equal(r.status, 400);
  assert.deepEqual(json(await p.get()), [400, UNKNOWN]);
});

test('pipelined requests of one session are answered in order', async (t) => {
  const gw = await open(t);
  const p = await poller3(gw, '&b64=1');
  await p.packets(1);
  const head = (method, more = '') => `${method} ${gw.path}?${p.query} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;
  const text = await exchange(gw, `${head('POST', 'Content-Length: 3\r\n')}1:2${head('GET', 'Connection: close\r\n')}`);
  assert.deepEqual(answers(text).map((a) => a.body), ['ok', '1:3']);
});
