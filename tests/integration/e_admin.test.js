/* The admin port of a running gateway: probes, and metrics beside traffic whose numbers are known. */
'use strict';
const { test } = require('node:test');
const assert = require('node:assert');
const { once } = require('node:events');
const net = require('node:net');
const {
  accepted, admin, ask, client, connected, exchange, gateway, inbox, metrics, metricsBecome, poller, rawSio, rawWs,
  refused, request, run, token,
} = require('./harness');
const { clusterGateway, ready, startRedis, unready } = require('./cluster_harness');

const ADMIN = { 'admin.port': 0, 'admin.host': '127.0.0.1' };
const OPEN = { ...ADMIN, 'auth.mode': 'none', 'auth.secret': null };
const OK = [{ status: 'ok' }];

/* ---- probes */

test('a gateway that serves is healthy and ready', async (t) => {
  const gw = await gateway(t, OPEN);
  const health = await admin(gw, '/healthz');
  assert.equal(health.status, 200);
  assert.equal(health.body, 'ok\n');
  const ready = await admin(gw, '/readyz?verbose');
  assert.equal(ready.status, 200);
  assert.equal(ready.headers['content-type'], 'application/json');
  assert.deepEqual(JSON.parse(ready.body), { ready: true, reasons: [] });
  const head = await admin(gw, '/readyz', { method: 'HEAD' });
  assert.equal(head.status, 200);
  assert.equal(head.body, '');
  assert.equal(head.headers['content-length'], ready.headers['content-length']);
});

test('other paths and methods are refused in JSON', async (t) => {
  const gw = await gateway(t, OPEN);
  for (const target of ['/', '/metrics/', '/socket.io/', '/healthz/..']) {
    const r = await admin(gw, target);
    assert.equal(r.status, 404, target);
    assert.equal(JSON.parse(r.body).status, 404);
  }
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
    const r = await admin(gw, '/metrics', { method, body: method === 'POST' ? 'x' : undefined });
    assert.equal(r.status, 405, method);
    assert.equal(r.headers.allow, 'GET, HEAD');
    assert.equal(JSON.parse(r.body).status, 405);
  }
});

test('the clients\' port has no admin routes, and without admin.port there is none', async (t) => {
  const gw = await gateway(t, { 'auth.mode': 'none', 'auth.secret': null });
  assert.equal(gw.admin, undefined);
  assert.doesNotMatch(gw.log, /admin listening/);
  for (const target of ['/healthz', '/readyz', '/metrics'])
    assert.equal((await request(gw, { path: target })).status, 404);
});

test('a gateway that is full is not ready, until somebody leaves', async (t) => {
  const gw = await gateway(t, { ...OPEN, 'gateway.max_connections': 16 });
  const all = [];
  for (let i = 0; i < 16; i++) all.push(await rawWs(t, gw));
  const full = await admin(gw, '/readyz');
  assert.equal(full.status, 503);
  assert.deepEqual(JSON.parse(full.body), { ready: false, reasons: ['full: gateway.max_connections is reached'] });
  assert.equal((await metrics(gw)).peal_ready, 0);
  all[0].ws.close();
  await all[0].end();
  await metricsBecome(gw, { peal_ready: 1, 'peal_connections{state="open"}': 15 });
});

test('an admin port that is taken is a mistake of the configuration', async (t) => {
  const server = net.createServer().listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  const { port } = server.address();
  const r = await run('gateway', ['--set', 'gateway.port=0', '--set', 'gateway.host=127.0.0.1', '--set', 'auth.mode=none',
    '--set', 'admin.host=127.0.0.1', '--set', `admin.port=${port}`]);
  assert.equal(r.code, 1);
  assert.equal(r.stderr.trim().split('\n').pop(), `peal-gateway: admin.port: ${port} is in use by another program ` +
    '(on 127.0.0.1); choose another with admin.port or PEAL_ADMIN_PORT');
});

test('junk and floods on the admin port hurt nobody', async (t) => {
  const gw = await gateway(t, OPEN);
  const held = [];
  t.after(() => held.forEach((s) => s.destroy()));
  for (let i = 0; i < 100; i++) {
    const s = net.connect(gw.admin.port, '127.0.0.1').on('error', () => {});
    held.push(s);
    s.write('GET /metrics HTTP/1.1\r\nX: ');
  }
  const closed = held.map((s) => new Promise((resolve) => s.on('close', resolve)));
  await Promise.race([Promise.all(closed.slice(0, 40)), Promise.all(closed.slice(60))]); /* those too many */
  const socket = await connected(t, gw); /* clients are not touched */
  socket.disconnect();
  held.forEach((s) => s.destroy());
  await Promise.all(closed);
  for (let i = 0; i < 10; i++) await rawSio(t, gw); /* nor those who get the same descriptors */
  for (const junk of ['\0\0\0\0\r\n\r\n', 'GET\r\n\r\n', 'GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n'])
    assert.doesNotMatch(await exchange(gw.admin, junk, { half: true }), / 200 /);
  assert.equal((await admin(gw, '/healthz')).status, 200);
});

/* ---- metrics */

test('what clients are and do is in the metrics', async (t) => {
  const gw = await gateway(t, {
    ...OPEN, 'socketio.namespaces': '/,/room-*', 'routes.events': 'say=all', 'routes.client_rooms': '*',
  });
  const begun = await metrics(gw);
  assert.equal(begun['peal_connections{state="open"}'], 0);
  assert.ok(begun.process_resident_memory_bytes > 1e6);
  assert.ok(Math.abs(begun.process_start_time_seconds - Date.now() / 1000) < 60);
  assert.ok(begun.process_cpu_seconds_total > 0);
  const build = Object.keys(begun).filter((name) => name.startsWith('peal_build_info'));
  assert.deepEqual(build.map((name) => name.replace(/"[\w.-]+"/g, '""')), ['peal_build_info{version="",node=""}']);

  const sockets = [];
  for (let i = 0; i < 5; i++) sockets.push(await connected(t, gw));
  for (let i = 0; i < 3; i++) sockets.push(await connected(t, gw, { transports: ['polling'] }));
  for (let i = 0; i < 2; i++) await connected(t, gw, { nsp: `/room-${i}` });
  assert.deepEqual(await ask(sockets[0], 'join', 'red'), OK);
  assert.deepEqual(await ask(sockets[1], 'join', 'red'), OK);
  const boxes = sockets.map((s) => inbox(s, 'say'));
  for (let i = 0; i < 7; i++) assert.deepEqual(await ask(sockets[0], 'say', i), OK);
  for (const box of boxes) await box.take(7);
  assert.equal((await ask(sockets[0], 'unknown', 1))[0].code, 'no_route');

  const all = await metricsBecome(gw, { peal_queue_bytes: 0 });
  const expected = {
    'peal_connections{state="open"}': 10, 'peal_connections{state="closing"}': 0,
    'peal_connections_by_transport{transport="websocket"}': 7, 'peal_connections_by_transport{transport="polling"}': 3,
    'peal_sockets{namespace="/"}': 8, 'peal_sockets{namespace="/room-*"}': 2,
    'peal_sockets_by_auth_source{source="none"}': 10,
    peal_namespaces: 3, peal_rooms: 1, peal_connections_max: 10000,
    peal_sessions_total: 10, peal_sockets_total: 10, peal_events_in_total: 10, peal_events_refused_total: 1,
    peal_publishes_total: 7, peal_deliveries_total: 56, 'peal_bus_publishes_total{outcome="taken"}': 7,
  };
  assert.deepEqual(Object.fromEntries(Object.keys(expected).map((name) => [name, all[name]])), expected);

  sockets[0].disconnect();
  sockets[5].disconnect();
  const after = await metricsBecome(gw, {
    'peal_connections{state="open"}': 8, 'peal_connections_by_transport{transport="polling"}': 2,
    'peal_closes_total{reason="transport close"}': 2, 'peal_sockets{namespace="/"}': 6, peal_rooms: 1,
  });
  assert.ok(after.peal_loop_turns_total > begun.peal_loop_turns_total);
});

test('tokens: where they came from, and what they were refused for', async (t) => {
  const gw = await gateway(t, { ...ADMIN, 'auth.mode': 'either', 'auth.cookie': 'jwt' });
  const good = await token();
  const source = (name) => `peal_sockets_by_auth_source{source="${name}"}`;
  await connected(t, gw, { auth: { token: good } });
  await rawSio(t, gw, { query: `&token=${good}` });
  await rawSio(t, gw, { headers: { Authorization: `Bearer ${good}` } });
  await rawSio(t, gw, { headers: { Cookie: `jwt=${good}` } });
  await (await poller(gw, '', { Authorization: `Bearer ${good}` })).connect();
  const later = await rawSio(t, gw);
  await metricsBecome(gw, {
    [source('connect')]: 1, [source('query')]: 1, [source('header')]: 2, [source('cookie')]: 1, [source('event')]: 0,
    [source('none')]: 0,
  });
  later.send(`42["authenticate",{"token":"${good}"}]`);
  assert.equal(await later.message(), '42["authenticated"]');
  const wrong = await token({}, { key: 'a-key-that-the-gateway-does-not-know' });
  for (const bad of ['junk', wrong]) await refused(client(t, gw, { auth: { token: bad } }));
  await refused(client(t, gw, { nsp: '/none', auth: { token: good } }));
  assert.equal((await request(gw, { query: 'EIO=9&transport=polling' })).status, 400);
  await metricsBecome(gw, {
    [source('event')]: 1, peal_auth_refusals_total: 2, peal_connect_refusals_total: 3,
    'peal_refusals_total{layer="auth",code="credentials_bad_format"}': 1,
    'peal_refusals_total{layer="auth",code="invalid_token"}': 1,
    'peal_refusals_total{layer="auth",code="credentials_required"}': 0,
    'peal_refusals_total{layer="connect",code="invalid_namespace"}': 1,
    'peal_refusals_total{layer="engine.io",code="5"}': 1,
  });
});

test('heartbeats are counted by how late they are', async (t) => {
  const gw = await gateway(t, { ...OPEN, 'engine.ping_interval': 50 });
  const socket = client(t, gw);
  await accepted(socket);
  await new Promise((resolve) => {
    let pings = 0;
    socket.io.on('ping', () => { if (++pings === 5) resolve(); });
  });
  const all = await metrics(gw);
  assert.ok(all.peal_ping_lateness_seconds_count >= 5);
  assert.equal(all.peal_ping_lateness_seconds_count, all['peal_ping_lateness_seconds_bucket{le="+Inf"}']);
});

test('on Redis: readiness says what is wrong with the bus, metrics say how it is', async (t) => {
  const redis = await startRedis(t);
  const gw = await clusterGateway(t, redis, { 'bus.canary_interval': 50, 'bus.canary_timeout': 500 });
  await ready(gw);
  const socket = await connected(t, gw);
  assert.deepEqual(await ask(socket, 'message', 1), OK);
  const all = await metrics(gw);
  assert.equal(all.peal_bus_connects_total, 2);
  assert.equal(all['peal_bus_publishes_total{outcome="taken"}'], 1);
  assert.ok(all.peal_bus_channels > 0 && all.peal_bus_received_total > 0 && all.peal_bus_received_bytes_total > 0);
  assert.ok(all.peal_bus_lag_seconds_count > 0 && all.peal_bus_lag_seconds_sum > 0);
  assert.ok(all.peal_bus_canary_age_seconds < 5);
  await redis.kill();
  const { body } = await unready(gw);
  assert.match(body, /^\{"ready":false,"reasons":\["bus: [^"]+"\]\}\n$/);
  assert.equal((await admin(gw, '/healthz')).status, 200); /* alive all the same */
  await redis.start();
  await ready(gw);
  const after = await metrics(gw);
  assert.equal(after.peal_bus_gaps_total, 1);
  assert.ok(after.peal_bus_disconnects_total >= 2 && after.peal_bus_gap_seconds_total > 0);
});
