/* Who comes and goes, as workers are told, and connects that a worker decides on. */
'use strict';
const { test } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { accepted, ask, client, connected, gateway, heard, rawWs, refused, SECRET, tempDir, token, until } = require('./harness');
const { cluster, metrics, OPEN, ready, startRedis } = require('./cluster_harness');
const { DATA, noted, TestWorker } = require('./work_harness');

const sum = async (gw, name) => (await metrics(gw)).sum(name);
const AUTH = { 'auth.mode': 'connect', 'auth.secret': SECRET };

async function scene(t, { settings = {}, n = 1, onItem, redis: options } = {}) {
  const redis = await startRedis(t, options);
  const gws = await cluster(t, redis, { n, settings });
  let worker;
  worker = await TestWorker.start(t, redis, (item) => onItem && onItem(item, worker));
  return { redis, gws, gw: gws[0], worker };
}

/* Each connect has one disconnect, behind it. */
function assertPairs(worker, n) {
  const state = new Map();
  for (const item of worker.all) {
    const key = `${item.nsp} ${item.sid}`;
    if (item.type === 'connect') {
      assert.equal(state.get(key), undefined, 'a connect twice');
      state.set(key, 'in');
    } else if (item.type === 'disconnect') {
      assert.equal(state.get(key), 'in', 'a disconnect without connect, or twice');
      state.set(key, 'out');
    }
  }
  assert.equal(state.size, n);
  assert.ok([...state.values()].every((s) => s === 'out'), 'each has left');
}

/* ---- life cycle */

test('workers are told who comes and goes, and what the client said', async (t) => {
  const jwt = await token({ sub: 'ann' });
  const { redis, gw, worker } = await scene(t, { settings: { ...AUTH, 'routes.lifecycle': '/', 'routes.events': '*=worker' } });
  const c = await connected(t, gw, { auth: { token: jwt, lang: 'é' } });
  const item = await worker.items.next();
  assert.equal(item.type, 'connect');
  assert.equal(item.sid, c.id);
  assert.equal(item.user, 'ann');
  assert.deepEqual(JSON.parse(item.auth), { lang: 'é' });
  assert.equal(item.address, '127.0.0.1');
  assert.equal(item.transport, 'websocket');
  assert.equal(item.asks, '0');
  assert.equal(await noted(redis), 1);
  c.emit('e');
  c.disconnect();
  assert.equal((await worker.items.next()).type, 'event');
  const bye = await worker.items.next();
  assert.equal(bye.reason, 'client namespace disconnect');
  assert.equal(bye.user, 'ann');
  await until(async () => await noted(redis) === 0, 'the note is gone');
  assertPairs(worker, 1);
});

/* A thousand sockets, a few at a time; then all end in one turn or so. */
async function thousand(t, gw, worker) {
  const N = 1000;
  const all = [];
  while (all.length < N) {
    all.push(...await Promise.all(Array.from({ length: 50 }, async () => {
      const ws = await rawWs(t, gw);
      ws.send('40');
      await ws.next();
      await ws.message();
      return ws;
    })));
  }
  await until(() => worker.of('connect').length === N, 'all connects are told', 20000);
  return all;
}

test('a thousand clients that vanish at once', async (t) => {
  const { redis, gw, worker } = await scene(t, { settings: { 'routes.lifecycle': '*', 'gateway.max_connections': 1100, 'engine.ping_interval': 60000 } });
  const all = await thousand(t, gw, worker);
  assert.equal(await noted(redis), 1000);
  for (const ws of all) ws.ws.terminate();
  await until(() => worker.of('disconnect').length === 1000, 'all disconnects are told', 20000);
  assertPairs(worker, 1000);
  assert.equal(await noted(redis), 0);
  assert.ok(worker.of('disconnect').every((i) => /^transport (close|error)$/.test(i.reason)));
});

test('a gateway that is stopped tells the end of a thousand', async (t) => {
  const { redis, gw, worker } = await scene(t, { settings: {
    'routes.lifecycle': '*', 'gateway.max_connections': 1100, 'engine.ping_interval': 60000, 'gateway.shutdown_timeout': 5000,
  } });
  await thousand(t, gw, worker);
  await gw.stop();
  await until(() => worker.of('disconnect').length === 1000, 'all disconnects are told', 20000);
  assertPairs(worker, 1000);
  assert.equal(await noted(redis), 0);
  assert.ok(worker.of('disconnect').every((i) => i.reason === 'server shutting down'));
});

test('a gateway that is killed leaves its notes', async (t) => {
  const { redis, gw, worker } = await scene(t, { settings: { 'routes.lifecycle': '*' } });
  const c = await connected(t, gw);
  const item = await worker.items.next();
  const uid = item.gateway;
  const note = async () => JSON.parse((await redis.command('HVALS', `socket.io-peal-sockets#${uid}`))[0]);
  await worker.tell(item, DATA, '{"room":"a"}');
  await until(async () => (await note()).data !== null, 'its data is noted, too');
  await gw.kill();
  assert.deepEqual(await redis.command('HKEYS', `socket.io-peal-sockets#${uid}`), [`/\n${c.id || worker.all[0].sid}`]);
  assert.deepEqual(await note(), { serial: 1, user: '', claims: {}, data: { room: 'a' } });
});

test('who ends while Redis is away is told when it is back', async (t) => {
  const { redis, gw, worker } = await scene(t, { redis: { aof: true }, settings: { 'routes.lifecycle': '*', 'bus.pending_max_age': 200 } });
  const c = await connected(t, gw);
  await worker.items.next();
  await redis.kill();
  await until(async () => await sum(gw, 'peal_work_down') === 1, 'the gateway has noticed');
  c.disconnect();
  await until(async () => await sum(gw, 'peal_work_pending') === 1, 'the disconnect waits');
  await redis.start();
  assert.equal((await worker.items.next(10000)).type, 'disconnect');
  assertPairs(worker, 1);
});

/* ---- a worker is asked */

const ASK = { ...AUTH, 'routes.ask_connect': '/', 'socketio.namespaces': '/,/free' };

for (const transports of [['websocket'], ['polling']]) {
  test(`a worker admits, refuses, or says nothing (${transports})`, async (t) => {
    const { redis, gw, worker } = await scene(t, {
      settings: { ...ASK, 'routes.ask_timeout': 400 },
      onItem: (item, w) => {
        if (item.type !== 'connect') return undefined;
        if (item.user === 'ann') return w.admit(item);
        return item.user === 'bob' ? w.refuse(item, { message: 'banned', data: { until: 'never' } }) : undefined;
      },
    });
    const as = async (sub) => client(t, gw, { transports, auth: { token: await token({ sub }) } });
    const ann = await as('ann');
    await accepted(ann);
    const error = await refused(await as('bob'));
    assert.equal(error.message, 'banned');
    assert.deepEqual(error.data, { until: 'never' });
    const late = await refused(await as('cid'));
    assert.equal(late.message, 'admission timed out');
    await until(async () => await noted(redis) === 1, 'only ann is noted');
    await until(() => worker.of('disconnect').length === 1, 'the end of the late one is told');
    assert.equal(worker.of('disconnect')[0].user, 'cid');
    assert.equal(worker.of('disconnect')[0].reason, 'admission timeout');
    assert.equal(await sum(gw, 'peal_asks_total'), 3);
    assert.equal(await sum(gw, 'peal_asks_admitted_total'), 1);
    const m = await metrics(gw);
    assert.equal(m.get('peal_refusals_total{layer="connect",code="refused_by_worker"}'), 1);
    assert.equal(m.get('peal_refusals_total{layer="connect",code="admission_timeout"}'), 1);
    ann.disconnect();
    await until(() => worker.of('disconnect').length === 2, 'ann has left');
  });
}

test('each socket is asked about by itself', async (t) => {
  const N = 30;
  const waiting = [];
  const { gws, worker } = await scene(t, {
    n: 2, settings: { ...ASK, 'routes.ask_connect': '/,/free', 'routes.ask_timeout': 20000 },
    onItem: (item) => { if (item.type === 'connect') waiting.push(item); },
  });
  const sockets = [];
  for (let i = 0; i < N; i++) sockets.push(client(t, gws[i % 2], { nsp: i % 3 ? '' : '/free', auth: { token: await token({ sub: `u${i}` }) } }));
  const outcomes = sockets.map((s, i) => (i % 2 ? accepted(s) : refused(s)).then((e) => (e ? e.message : s.id)));
  await until(() => waiting.length === N, 'all are asked about');
  assert.ok(sockets.every((s) => !s.connected));
  for (const item of waiting.reverse()) {
    const i = Number(item.user.slice(1));
    if (i % 2) await worker.admit(item);
    else await worker.refuse(item, { message: `no ${i}` });
  }
  const got = await Promise.all(outcomes);
  for (let i = 0; i < N; i++) {
    if (i % 2) assert.equal(got[i], waiting.find((w) => w.user === `u${i}`).sid);
    else assert.equal(got[i], `no ${i}`);
  }
});

test('who goes while asked is told as gone', async (t) => {
  const { redis, gw, worker } = await scene(t, { settings: ASK });
  const c = client(t, gw, { auth: { token: await token() } });
  const item = await worker.items.next();
  c.disconnect();
  assert.equal((await worker.items.next()).type, 'disconnect');
  await worker.admit(item);
  await until(async () => await sum(gw, 'peal_node_cmds_void_total') === 1, 'the answer is void');
  assert.equal(await noted(redis), 0);
  assert.equal(await sum(gw, 'peal_asks_pending'), 0);
});

test('in the event way a worker is asked behind authenticate', async (t) => {
  const { gw, worker } = await scene(t, {
    settings: { ...ASK, 'auth.mode': 'event' },
    onItem: (item, w) => {
      if (item.type === 'connect') return item.user === 'ann' ? w.admit(item) : w.refuse(item, { message: 'banned' });
      return undefined;
    },
  });
  const ann = await connected(t, gw);
  const bob = await connected(t, gw);
  assert.equal(worker.all.length, 0);
  const welcome = heard(ann, 'authenticated');
  assert.deepEqual(await ask(ann, 'authenticate', { token: await token({ sub: 'ann' }) }), [{ status: 'ok' }]);
  await welcome;
  const sorry = heard(bob, 'unauthorized');
  const gone = heard(bob, 'disconnect');
  bob.emit('authenticate', { token: await token({ sub: 'bob' }) });
  assert.deepEqual(await sorry, [{ message: 'banned' }]);
  assert.equal((await gone)[0], 'io server disconnect');
});

test('other namespaces are not asked about, and a bad token is nobody\'s question', async (t) => {
  const { gw, worker } = await scene(t, { settings: ASK });
  await connected(t, gw, { nsp: '/free', auth: { token: await token() } });
  const error = await refused(client(t, gw, { auth: { token: await token({}, { key: 'another-secret-of-32-bytes-01234567' }) } }));
  assert.equal(error.data.code, 'invalid_token');
  assert.equal(worker.all.length, 0);
});

test('without workers a connect that asks is refused in time, and the gateway is ready', async (t) => {
  const redis = await startRedis(t);
  const [gw] = await cluster(t, redis, { n: 1, settings: { ...ASK, 'routes.ask_timeout': 200 } });
  assert.equal((await refused(client(t, gw, { auth: { token: await token() } }))).message, 'admission timed out');
  await ready(gw);
  const alone = await gateway(t, { ...OPEN, 'routes.ask_connect': '*' });
  const error = await refused(client(t, alone));
  assert.equal(error.message, 'the workers cannot be reached');
  assert.deepEqual(error.data, { code: 'workers_unavailable' });
});

test('a reload may bring the first route to workers', async (t) => {
  const redis = await startRedis(t);
  const file = path.join(tempDir(t), 'peal.json');
  const write = (routes) => fs.writeFileSync(file, JSON.stringify({ routes }));
  write({ events: ['*=none'] });
  const gw = await gateway(t, { ...OPEN, 'redis.url': redis.url, 'admin.port': 0, 'admin.host': '127.0.0.1' }, { command: ['-c', file] });
  await ready(gw);
  const worker = await TestWorker.start(t, redis, (item) => worker.ack(item, 'done'));
  const c = await connected(t, gw);
  assert.deepEqual(await ask(c, 'e'), [{ status: 'ok' }]);
  assert.equal((await redis.clients()).filter((l) => l.name === 'peal:work').length, 0);
  write({ events: ['*=worker'], lifecycle: ['*'] });
  gw.child.kill('SIGHUP');
  await gw.line(/msg="configuration reloaded"/);
  assert.deepEqual(await ask(c, 'e'), ['done']);
  c.disconnect(); // its connect was not told
  const d = await connected(t, gw);
  d.disconnect();
  await until(() => worker.of('disconnect').length === 1, 'the second has left');
  assertPairs(worker, 1);
});

test('with a user of Redis who may do no more than needed', async (t) => {
  const may = '~socket.io* &* -@all +publish +subscribe +unsubscribe +psubscribe +punsubscribe +pubsub|numsub ' +
    '+set +del +exists +sadd +srem +srandmember +ping +hello +auth +select +client|setname +xadd +xlen +eval +hset +hdel +get';
  const redis = await startRedis(t, { password: 'admin', users: [`peal on >word ${may}`] });
  const limited = { url: `redis://peal:word@127.0.0.1:${redis.port}` };
  const [gw] = await cluster(t, limited, { n: 1, settings: { 'routes.lifecycle': '*', 'routes.events': '*=worker' } });
  const worker = await TestWorker.start(t, redis, (item) => worker.ack(item, 'done'));
  const c = await connected(t, gw);
  assert.deepEqual(await ask(c, 'e'), ['done']);
  c.disconnect();
  await until(() => worker.of('disconnect').length === 1, 'it has left');
  assertPairs(worker, 1);
  assert.equal(await noted(redis), 0);
});
