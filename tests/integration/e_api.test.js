/* The HTTP API of the admin port: every path and every answer of docs/openapi.yaml, by real requests. */
'use strict';
const { test } = require('node:test');
const assert = require('node:assert');
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const readline = require('node:readline');
const net = require('node:net');
const {
  admin, atEnd, connected, gateway, inbox, metrics, run, tempDir, token, until,
} = require('./harness');
const { clusterGateway, ready, startRedis, unready } = require('./cluster_harness');

const KEY = 'a-key-of-the-tests-with-32-bytes';
const API = { 'admin.port': 0, 'admin.host': '127.0.0.1', 'admin.api_key': KEY };
const OPEN = { ...API, 'auth.mode': 'none', 'auth.secret': null };
const BEARER = { Authorization: `Bearer ${KEY}` };

/* ---- the description */

let seen; /* of [method, path, status] */
async function describer(t) {
  const child = spawn('/usr/bin/python3', [path.join(__dirname, 'openapi.py')], { stdio: ['pipe', 'pipe', 'inherit'] });
  atEnd(t, () => { child.stdin.end(); });
  const lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return async (question) => {
    child.stdin.write(`${JSON.stringify(question)}\n`);
    return JSON.parse((await lines.next()).value);
  };
}

/* A request whose answer must be as described. */
async function call(describe, gw, method, target, { body, headers = BEARER } = {}) {
  const r = await admin(gw, target, { method, headers: { ...headers, 'Content-Type': 'application/json' },
    body: body === undefined || typeof body === 'string' ? body : JSON.stringify(body) });
  const of = { method: method.toLowerCase(), path: target.split('?')[0], status: String(r.status) };
  const { error } = await describe({ op: 'check', ...of, type: r.headers['content-type'], body: r.body });
  assert.equal(error, null, `${method} ${target}: ${r.status} ${r.body}`);
  seen.add(`${of.method} ${of.path} ${of.status}`);
  return { status: r.status, headers: r.headers, json: r.headers['content-type'] === 'application/json' ? JSON.parse(r.body) : null };
}

const OTHERS = { rooms: ['r'], to: ['nobody'] };
const BODIES = { '/api/emit': { event: 'e', to: ['nobody'] }, '/api/join': OTHERS, '/api/leave': OTHERS, '/api/disconnect': { to: ['nobody'] } };

test('every answer that is described is given, and no other', async (t) => {
  seen = new Set();
  const describe = await describer(t);
  const gw = await clusterGateway(t, await startRedis(t), { ...API, 'admin.api_max_body': 4096, 'bus.max_message': 2048 });
  await ready(gw);
  const closed = await gateway(t, { ...OPEN, 'admin.api_key': null });
  const redis = await startRedis(t);
  const away = await clusterGateway(t, redis, { ...API, 'bus.pending_max_age': 100 });
  await ready(away);
  await redis.kill();
  await unready(away);
  for (const [target, body] of Object.entries(BODIES)) {
    const { example } = await describe({ op: 'example', method: 'post', path: target });
    assert.deepEqual((await call(describe, gw, 'POST', target, { body })).json, { ok: true, taken: 1 });
    assert.deepEqual((await call(describe, gw, 'POST', target, { body: example })).json, { ok: true, taken: 1 });
    assert.deepEqual((await call(describe, gw, 'POST', target, { body: [body, body] })).json, { ok: true, taken: 2 });
    assert.deepEqual((await call(describe, gw, 'POST', target, { body: [] })).json, { ok: true, taken: 0 });
    const mistake = await call(describe, gw, 'POST', target, { body: [body, { ...body, to: [] }] });
    assert.equal(mistake.status, 400);
    assert.equal(mistake.json.error, '[1].to: must not be empty');
    for (const bad of ['', '{', 'null', '{"ev":1}', '\xff'])
      assert.equal((await call(describe, gw, 'POST', target, { body: bad })).status, 400, bad);
    for (const headers of [{}, { Authorization: `Bearer ${KEY}x` }, { Authorization: `Basic ${KEY}` }, { Authorization: 'Bearer ' }]) {
      const r = await call(describe, gw, 'POST', target, { body, headers });
      assert.equal(r.status, 401);
      assert.equal(r.headers['www-authenticate'], 'Bearer');
    }
    assert.equal((await call(describe, closed, 'POST', target, { body })).status, 404);
    const names = { ...body, to: Array(15).fill('n'.repeat(200)) };
    assert.equal((await call(describe, gw, 'POST', target, { body: names })).status, 413);
    assert.equal((await call(describe, gw, 'POST', target, { body: ' '.repeat(5000) })).status, 413);
    assert.equal((await call(describe, away, 'POST', target, { body })).status, 503);
  }
  assert.equal((await call(describe, gw, 'GET', '/api/sockets')).status, 200);
  for (const bad of ['nsp=a', 'nsp=', 'room=', 'user=%00', 'user=%ff', `room=${'r'.repeat(300)}`, 'room=%zz'])
    assert.equal((await call(describe, gw, 'GET', `/api/sockets?${bad}`)).status, 400, bad);
  assert.equal((await call(describe, gw, 'GET', '/api/sockets', { headers: {} })).status, 401);
  assert.equal((await call(describe, closed, 'GET', '/api/sockets')).status, 404);
  const { all } = await describe({ op: 'all' });
  assert.deepEqual([...seen].sort(), all.map((one) => one.join(' ')).sort());
  const counts = await metrics(closed);
  assert.equal(counts.peal_api_requests_total, 5);
  assert.equal(counts.peal_api_refused_total, 5);
});

test('what backends push reaches clients', async (t) => {
  seen = new Set();
  const describe = await describer(t);
  const gw = await gateway(t, { ...API, 'socketio.namespaces': '/,/n' });
  const [ann, bob] = await Promise.all(['ann', 'bob'].map(async (sub) =>
    connected(t, gw, { auth: { token: await token({ sub }) } })));
  const other = await connected(t, gw, { nsp: '/n', auth: { token: await token({ sub: 'ann' }) } });
  const boxes = [ann, bob, other].map((s) => inbox(s, 'news'));
  const post = (target, body) => call(describe, gw, 'POST', target, { body });
  const get = async (query) => (await call(describe, gw, 'GET', `/api/sockets?${query}`)).json;

  await post('/api/emit', [
    { event: 'news', args: ['all'] }, { event: 'news', args: ['bob'], user: 'bob' }, { event: 'news', args: ['n'], nsp: '/n' },
    { event: 'news', args: [{ _placeholder: true, num: 0 }], attachments: ['AAH/'], to: [ann.id] },
  ]);
  assert.deepEqual(await boxes[0].take(2), [['all'], [Buffer.from([0, 1, 255])]]);
  assert.deepEqual(await boxes[1].take(2), [['all'], ['bob']]);
  assert.deepEqual(await boxes[2].take(1), [['n']]);

  await post('/api/join', { rooms: ['red', 'blue'], user: ['ann'] });
  await post('/api/leave', { rooms: 'blue', to: ann.id });
  const red = await get('room=red');
  assert.deepEqual(red.sockets.map((s) => s.id), [ann.id]);
  assert.equal(red.complete, true);
  assert.deepEqual((await get('room=blue')).sockets, []);
  assert.deepEqual((await get('room=red&user=bob')).sockets.map((s) => s.id).sort(), [ann.id, bob.id].sort());
  assert.deepEqual((await get('')).sockets.length, 2);
  assert.deepEqual((await get('nsp=%2Fn')).sockets.map((s) => s.id), [other.id]);
  const elsewhere = await get('nsp=/none');
  assert.equal(elsewhere.complete, false);
  assert.equal(elsewhere.why, 'the namespace cannot be asked');

  const ended = new Promise((resolve) => bob.on('disconnect', resolve));
  await post('/api/disconnect', { user: 'bob' });
  assert.equal(await ended, 'io server disconnect');
});

test('any node of a cluster will do', async (t) => {
  seen = new Set();
  const describe = await describer(t);
  const redis = await startRedis(t);
  const [one, two] = [await clusterGateway(t, redis, API), await clusterGateway(t, redis, API)];
  await Promise.all([ready(one), ready(two)]);
  const socket = await connected(t, two);
  const box = inbox(socket, 'news');
  await call(describe, one, 'POST', '/api/join', { body: { rooms: 'red', to: socket.id } });
  await until(async () => (await call(describe, one, 'GET', '/api/sockets?room=red')).json.sockets.length === 1, 'the join');
  await call(describe, one, 'POST', '/api/emit', { body: { event: 'news', args: [1], to: 'red' } });
  assert.deepEqual(await box.take(1), [[1]]);
});

test('the key may come from a file, and be changed without a restart', async (t) => {
  const file = path.join(tempDir(t), 'key');
  fs.writeFileSync(file, `${KEY}\n`);
  const gw = await gateway(t, { ...OPEN, 'admin.api_key': null, 'admin.api_key_file': file });
  const status = async (key) => (await admin(gw, '/api/sockets', { headers: { Authorization: `bearer ${key}` } })).status;
  assert.equal(await status(KEY), 200);
  const fresh = 'another-key-of-the-tests';
  fs.writeFileSync(file, fresh);
  gw.child.kill('SIGHUP');
  await until(async () => await status(fresh) === 200, 'the new key');
  assert.equal(await status(KEY), 401);
  fs.writeFileSync(file, 'short');
  gw.child.kill('SIGHUP');
  assert.match(await gw.line(/not reloaded/), /admin\.api_key_file: .*has 5 bytes: at least 16 are needed/);
  assert.equal(await status(fresh), 200);
  const r = await run('gateway', ['-t', '--set', 'auth.mode=none', '--set', 'admin.api_key=tooshort']);
  assert.equal(r.code, 1);
  assert.equal(r.stderr.trim(), 'peal-gateway: admin.api_key: has 8 bytes: at least 16 are needed');
});

test('who does not wait for the answer hurts nobody', async (t) => {
  const redis = await startRedis(t);
  const gw = await clusterGateway(t, redis, { ...API, 'bus.request_timeout': 300 });
  await ready(gw);
  await redis.pause();
  const text = `GET /api/sockets HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${KEY}\r\n\r\n`;
  for (let i = 0; i < 20; i++) {
    const s = net.connect(gw.admin.port, '127.0.0.1').on('error', () => {});
    await new Promise((resolve) => s.on('connect', resolve));
    await new Promise((resolve) => s.write(text, resolve));
    if (i % 2) s.destroy(); else s.end();
  }
  const slow = await admin(gw, '/api/sockets', { headers: BEARER });
  redis.program.child.kill('SIGCONT');
  assert.equal(slow.status, 200);
  assert.equal(JSON.parse(slow.body).complete, false);
  await ready(gw);
});
