/* How a gateway leaves: readiness first, then its clients one after the other, then itself. */
'use strict';
const { test } = require('node:test');
const assert = require('node:assert');
const http = require('node:http');
const net = require('node:net');
const { admin, ask, client, connected, gateway, poller, rawSio, request, SECRET, token, until, within } = require('./harness');
const { clusterGateway, metrics, ready, redisClient, startRedis } = require('./cluster_harness');

const OPEN = {
  'admin.port': 0, 'admin.host': '127.0.0.1', 'auth.mode': 'none', 'auth.secret': null,
  'gateway.shutdown_timeout': 60000, /* who runs into it fails the test */
};

const accepts = (port) => new Promise((resolve) => {
  const s = net.connect(port, '127.0.0.1', () => { s.destroy(); resolve(true); });
  s.on('error', () => resolve(false));
});

const term = (gw) => gw.child.kill('SIGTERM');

test('while it waits it is not ready but serves; a second signal ends it at once', async (t) => {
  const gw = await gateway(t, { ...OPEN, 'gateway.drain_wait': 600000, 'routes.events': 'x=none' });
  const before = await connected(t, gw);
  term(gw);
  await gw.line(/msg="drain begins" connections=1 wait_ms=600000 time_ms=0/);
  const ready = await admin(gw, '/readyz');
  assert.equal(ready.status, 503);
  assert.deepEqual(JSON.parse(ready.body), { ready: false, reasons: ['draining'] });
  assert.equal((await admin(gw, '/healthz')).status, 200);
  const after = await connected(t, gw); /* balancers have not noticed yet */
  for (const s of [before, after]) assert.deepEqual(await ask(s, 'x'), [{ status: 'ok' }]);
  term(gw);
  await gw.finished();
  assert.match(gw.log, /msg="signal 15: ending at once"/);
  assert.match(gw.log, /msg="drain ends" ms=\d+ closed=0 left=2/);
});

test('a second signal ends it at once also while clients are closed, and at the farewell', async (t) => {
  for (const settings of [{ 'gateway.drain_time': 600000 }, {}]) {
    const gw = await gateway(t, { ...OPEN, ...settings });
    const waits = await (await poller(gw)).connect(); /* does not poll: it cannot be told */
    assert.ok(waits.sid);
    term(gw);
    await gw.line(/msg="drain begins"/);
    gw.child.kill('SIGINT');
    await gw.finished();
    assert.match(gw.log, /msg="signal 2: ending at once"/);
  }
});

test('200 clients are closed evenly, polling ones included; exit status 0', async (t) => {
  const TIME = 2500, WS = 150, POLLING = 50;
  const gw = await gateway(t, { ...OPEN, 'gateway.drain_wait': 100, 'gateway.drain_time': TIME, 'routes.events': 'x=all' });
  const all = [], polls = [], ends = [];
  for (let i = 0; i < WS; i++) all.push(await rawSio(t, gw));
  for (let i = 0; i < POLLING; i++) polls.push(await (await poller(gw)).connect());
  const note = () => ends.push(Date.now());
  const closes = all.map(async (ws) => {
    const end = await ws.end(20000);
    note();
    return end;
  });
  /* A polling client polls until it is told. */
  const told = polls.map(async (p) => {
    for (;;) {
      const r = await request(gw, { query: p.query });
      if (r.body.split('\x1e').includes('1')) break;
      if (r.body === '2') await p.post('3');
    }
    note();
  });
  term(gw);
  await gw.line(/msg="drain begins" connections=200 /);
  for (const close of closes) assert.equal((await within(close, 'close', 20000)).code, 1001);
  for (const end of told) await within(end, 'close of a polling client', 20000);
  await gw.finished();
  assert.match(gw.log, /msg="drain ends" ms=\d+ closed=200 left=0\n/);
  assert.equal(gw.count(/msg=disconnected .*reason="server shutting down"/), 200);
  /* Even enough: they take most of the time, and no sixth of it has the half of them. */
  ends.sort((a, b) => a - b);
  const took = ends[199] - ends[0];
  assert.ok(took > TIME * 0.7 && took < TIME * 3, `all within ${took} ms`);
  for (let i = 0; i + 100 < 200; i++) {
    const half = ends[i + 100] - ends[i];
    assert.ok(half > TIME / 6, `100 of 200 within ${half} ms`);
  }
});

test('while clients are closed nobody new is let in, on old connections either', async (t) => {
  const gw = await gateway(t, { ...OPEN, 'gateway.drain_time': 600000 });
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  const kept = [];
  for (let i = 0; i < 2; i++) kept.push(await rawSio(t, gw));
  assert.equal((await request(gw, { path: '/', agent })).status, 404);
  term(gw);
  await gw.line(/msg="drain begins"/);
  const r = await request(gw, { query: 'EIO=4&transport=polling', agent });
  assert.equal(r.status, 503);
  assert.equal(r.headers.connection, 'close');
  assert.ok(!(await accepts(gw.port)));
  assert.equal((await admin(gw, '/readyz')).status, 503);
  kept[0].send('42["message","still served"]');
  assert.equal(await kept[1].message(), '42["message","still served"]');
  term(gw);
  await gw.finished();
});

test('it ends as soon as the last client has left by itself', async (t) => {
  const gw = await gateway(t, { ...OPEN, 'gateway.drain_time': 600000 });
  const ws = await rawSio(t, gw);
  term(gw);
  await gw.line(/msg="drain begins"/);
  ws.ws.close();
  await gw.finished();
  assert.match(gw.log, /msg="drain ends" ms=\d+ closed=0 left=0\n/);
});

test('a client gets what is queued for it before its close', async (t) => {
  const gw = await gateway(t, { ...OPEN, 'gateway.drain_time': 200 });
  const [a, b] = [await rawSio(t, gw), await rawSio(t, gw)];
  const p = await (await poller(gw)).connect();
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  await p.post('42["message","on the connection it keeps"]', { agent });
  for (const ws of [a, b]) assert.match(await ws.message(), /it keeps/);
  b.ws.pause();
  for (let i = 0; i < 20; i++) a.send(`42["message",${i},"${'x'.repeat(100000)}"]`);
  for (let i = 0; i < 20; i++) assert.match(await a.message(), /^42/);
  term(gw);
  assert.equal((await a.end()).code, 1001);
  b.ws.resume();
  for (let i = 0; i < 20; i++) assert.match(await b.message(), new RegExp(`^42\\["message",${i},`));
  assert.equal((await b.end()).code, 1001);
  const got = [];
  while (got.length < 21) got.push(...(await p.get({ agent })).body.split('\x1e'));
  assert.ok(got.every((packet) => packet.startsWith('42["message",')));
  assert.match((await p.get({ agent })).body, /^(6\x1e)?1$/); /* by whether its poll was there first */
  await gw.finished();
});

test('on Redis: the cluster view shows that it is leaving, and the bus works to the end', async (t) => {
  const redis = await startRedis(t);
  const gw = await clusterGateway(t, redis, { 'bus.heartbeat_interval': 100, 'gateway.drain_time': 600000 });
  await ready(gw);
  const socket = await connected(t, gw);
  const node = / node=(\S+)/.exec(gw.log)[1];
  const client = await redisClient(t, redis);
  const note = async () => JSON.parse(await client.get(`socket.io-peal-node#${node}`));
  assert.equal((await until(note, 'heartbeat')).stopping, false);
  term(gw);
  await until(async () => (await note()).stopping, 'heartbeat that says so');
  assert.deepEqual(await ask(socket, 'message', 1), [{ status: 'ok' }]);
  term(gw);
  await gw.finished();
});

/* Of each kind of what waits for Redis there is one: publish, joins, questions, connects, an authentication. */
for (const fault of ['pause', 'kill']) for (const signals of [1, 2]) {
  test(`what waits for Redis (${fault}) when it ends, ends with it; signals: ${signals}`, async (t) => {
    const redis = await startRedis(t);
    const gw = await clusterGateway(t, redis, {
      'auth.mode': 'either', 'auth.secret': SECRET, 'auth.rooms_claim': 'rooms', 'socketio.namespaces': '/,/dyn*',
      'routes.client_rooms': '*', 'routes.events': 'message=all', 'gateway.shutdown_timeout': 500,
    }, { name: 'cluster-fixture' });
    await ready(gw);
    const bearer = async (sub, rooms) => ({ auth: { token: await token({ sub, rooms }) } });
    const busy = await connected(t, gw, await bearer('a', []));
    const guest = await connected(t, gw);
    await redis[fault]();
    const ignore = () => {};
    busy.emit('message', 'x', ignore);
    for (const room of ['red', 'blue']) busy.emit('join', room, ignore);
    for (const op of ['fetch', 'rooms', 'ids', 'server-ask', 'broadcast']) busy.emit('ask', op, {}, ['e'], ignore);
    guest.emit('authenticate', (await bearer('b', ['green'])).auth, ignore);
    client(t, gw, await bearer('c', ['yellow']));
    client(t, gw, { ...await bearer('d', []), nsp: '/dyn1' });
    for (const s of [busy, guest]) assert.equal((await ask(s, 'nobody knows this'))[0].status, 'error');
    await until(async () => (await metrics(gw)).sum('peal_connections') === 4, 'all are there');
    term(gw);
    await gw.line(/msg="drain begins"/);
    if (signals === 2) term(gw);
    await gw.finished();
  });
}
