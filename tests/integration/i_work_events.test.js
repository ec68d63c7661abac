/* Events that a route hands to workers: what is in the streams, in which order, and what clients hear when
 * it cannot be handed over. */
'use strict';
const { test } = require('node:test');
const assert = require('node:assert');
const { ask, connected, gateway, Program, rawSio, rawWs, SECRET, token, until, within } = require('./harness');
const { cluster, clusterGateway, metrics, ready, startRedis, OPEN } = require('./cluster_harness');
const { backlog, PARTITIONS, stream, TestWorker } = require('./work_harness');

const WORK = { 'routes.events': '*=worker' };
const sum = async (gw, name) => (await metrics(gw)).sum(name);

async function scene(t, { settings = {}, n = 1, onItem, redis: options } = {}) {
  const redis = await startRedis(t, options);
  const gws = await cluster(t, redis, { n, settings: { ...WORK, ...settings } });
  let worker;
  worker = await TestWorker.start(t, redis, (item) => onItem && onItem(item, worker));
  return { redis, gws, gw: gws[0], worker };
}

test('an event comes with all its fields, byte for byte', async (t) => {
  const jwt = await token({ sub: 'jörg', big: 1 });
  const { gw, worker } = await scene(t, { settings: { 'auth.mode': 'connect', 'auth.secret': SECRET, 'socketio.namespaces': '/,/chat' } });
  const c = await rawSio(t, gw, { nsp: '/chat', auth: { token: jwt } });
  const args = '["chat",12345678901234567890,1.0,"\\ud800 \\u0000",{"b":1,"a":{"a":1,"a":2}},"é"]';
  const before = Date.now();
  c.send(`42/chat,9${args}`);
  const item = await worker.items.next();
  assert.equal(item.args, args);
  assert.equal(item.type, 'event');
  assert.equal(item.event, 'chat');
  assert.equal(item.nsp, '/chat');
  assert.equal(item.sid, c.sid);
  assert.equal(item.ack, '9');
  assert.equal(item.user, 'jörg');
  assert.equal(JSON.parse(item.claims).big, 1);
  assert.equal(item.data, 'null');
  assert.match(item.gateway, /^[\w-]{8}$/);
  assert.equal(item.id, `${item.gateway}-1`);
  assert.ok(Math.abs(Number(item.time) - before) < 5000);
  assert.deepEqual(item.attachments, []);
  await worker.ack(item, { ok: true }, 'é');
  assert.equal(await c.message(), '43/chat,9[{"ok":true},"é"]');
});

test('binary attachments are bytes', async (t) => {
  const { gw, worker } = await scene(t);
  const c = await connected(t, gw);
  const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  c.emit('file', { name: 'x', body: all }, Buffer.alloc(0));
  const item = await worker.items.next();
  assert.deepEqual(JSON.parse(item.args), ['file', { name: 'x', body: { _placeholder: true, num: 0 } }, { _placeholder: true, num: 1 }]);
  assert.deepEqual(item.attachments, [all, Buffer.alloc(0)]);
  assert.equal(item.ack, undefined);
});

test('only what the route says goes to workers', async (t) => {
  const { gw, worker } = await scene(t, { settings: { 'routes.events': '/ w*=worker,x=none,*=all', 'socketio.namespaces': '/,/n' } });
  const c = await connected(t, gw);
  const other = await connected(t, gw, { nsp: '/n' });
  const got = new Promise((resolve) => { other.once('work', resolve); });
  other.emit('work', 1); // all of /n
  assert.equal(await within(got, 'the broadcast'), 1);
  assert.deepEqual(await ask(c, 'x'), [{ status: 'ok' }]);
  c.emit('work', 2);
  assert.equal((await worker.items.next()).args, '["work",2]');
  assert.equal(worker.all.length, 1);
});

test('what one socket says is in one partition in its order, from several gateways', async (t) => {
  const CLIENTS = 40;
  const EVENTS = 100;
  const { gws, worker } = await scene(t, { n: 2, onItem: (item, w) => w.ack(item, JSON.parse(item.args)[1]) });
  const sockets = await Promise.all(Array.from({ length: CLIENTS }, (_, i) => connected(t, gws[i % 2])));
  await Promise.all(sockets.map(async (s) => {
    const answers = Array.from({ length: EVENTS }, (_, i) => s.timeout(20000).emitWithAck('n', i));
    assert.deepEqual(await Promise.all(answers), Array.from({ length: EVENTS }, (_, i) => i));
  }));
  const seen = new Map(sockets.map((s) => [s.id, []]));
  const places = new Map();
  for (const item of worker.all) {
    seen.get(item.sid).push(JSON.parse(item.args)[1]);
    places.set(item.sid, (places.get(item.sid) || new Set()).add(item.partition));
  }
  for (const list of seen.values()) assert.deepEqual(list, Array.from({ length: EVENTS }, (_, i) => i));
  for (const one of places.values()) assert.equal(one.size, 1);
  assert.ok(new Set(worker.all.map((i) => i.partition)).size > 4, 'they are spread');
  assert.equal(new Set(worker.all.map((i) => i.id)).size, CLIENTS * EVENTS);
  assert.equal(await sum(gws[0], 'peal_work_items_total') + await sum(gws[1], 'peal_work_items_total'), CLIENTS * EVENTS);
});

test('a gateway whose workers are missing is ready; its streams take no more than they may', async (t) => {
  const redis = await startRedis(t);
  const [gw] = await cluster(t, redis, { n: 1, settings: { ...WORK, 'work.max_backlog': 10 } });
  const c = await connected(t, gw);
  let taken = 0;
  const answers = [];
  await until(async () => {
    if (!answers.length) c.emit('e', taken++, (a) => answers.push(a));
    return answers.length;
  }, 'an event is refused');
  assert.deepEqual(answers[0], { status: 'error', code: 'overloaded', message: 'too much waits for the workers' });
  const waiting = await backlog(redis);
  assert.ok(waiting > 10 && waiting <= taken, `${waiting} wait`);
  await until(async () => await sum(gw, 'peal_work_backlog') === waiting, 'the backlog is seen');
  const m = await metrics(gw);
  assert.equal(m.sum('peal_work_partitions_full'), 1);
  assert.ok(m.get('peal_work_items_total{outcome="full"}') > 0);
  await ready(gw);
  const worker = await TestWorker.start(t, redis, (item) => worker.ack(item, 'done'));
  await until(async () => await sum(gw, 'peal_work_partitions_full') === 0, 'it takes events again');
  assert.deepEqual(await ask(c, 'e', 'again'), ['done']);
});

test('an event that is too large is refused', async (t) => {
  const { gw, worker } = await scene(t, { settings: { 'work.max_item': 2000 } });
  const c = await connected(t, gw);
  assert.deepEqual(await ask(c, 'e', 'x'.repeat(2000)), [{ status: 'error', code: 'too_large', message: 'it is too large for the workers' }]);
  c.emit('e', 1);
  assert.equal((await worker.items.next()).args, '["e",1]');
});

/* Every event is answered: by the worker, or by the gateway with an error. What was not refused must have
 * been seen by the worker, though Redis was killed and started again twice. */
test('none that is taken is lost when Redis is killed', async (t) => {
  const CLIENTS = 8;
  const WINDOW = 60; // of events of a client that are neither seen nor refused
  const seen = new Set();
  const refusals = new Set();
  const open = Array.from({ length: CLIENTS }, () => new Set());
  const sent = [];
  let running = true;
  let away = false;
  let sockets = [];
  /* Some more while Redis is away, which then wait in the gateway. */
  const go = (who) => {
    while (running && open[who].size < (away ? 2 * WINDOW : WINDOW)) {
      const name = `${who}:${sent.length}`;
      sent.push(name);
      open[who].add(name);
      sockets[who].emit('n', name, (a) => {
        if (!a || a.status !== 'error') return;
        refusals.add(name);
        ended(name);
      });
    }
  };
  const ended = (name) => {
    const who = Number(name.split(':')[0]);
    open[who].delete(name);
    go(who);
  };
  const { redis, gw, worker } = await scene(t, {
    redis: { aof: true }, settings: { 'bus.pending_max_age': 20000, 'redis.backoff_max': 200 },
    onItem: (item, w) => {
      const [, name] = JSON.parse(item.args);
      seen.add(name);
      ended(name);
      return w.ack(item, 'done');
    },
  });
  sockets = await Promise.all(Array.from({ length: CLIENTS }, () => connected(t, gw)));
  t.after(() => { running = false; });
  open.forEach((_, who) => go(who));
  const reads = async () => {
    const before = seen.size;
    await until(() => seen.size > before + 200, 'the worker reads', 20000);
  };
  for (let round = 0; round < 2; round++) {
    await until(async () => await sum(gw, 'peal_work_down') === 0, 'the gateway is connected', 20000);
    await reads();
    await redis.kill();
    away = true;
    open.forEach((_, who) => go(who));
    await until(async () => await sum(gw, 'peal_work_pending') > 20, 'events wait', 20000);
    await redis.start();
    away = false;
  }
  await reads();
  running = false;
  await until(() => open.every((own) => own.size === 0), 'all are seen or refused', 20000);
  assert.deepEqual(sent.filter((one) => !seen.has(one) && !refusals.has(one)), []);
  assert.equal(await sum(gw, 'peal_work_disconnects_total'), 2);
  /* First seen in order, repeats aside; and a repeat has the id of the first. */
  for (let who = 0; who < CLIENTS; who++) {
    const own = worker.all.map((i) => [i.id, ...JSON.parse(i.args)[1].split(':').map(Number)]).filter((i) => i[1] === who);
    const numbers = [...new Map(own.map(([id, , n]) => [id, n])).values()];
    assert.deepEqual(numbers, [...new Set(numbers)].sort((a, b) => a - b));
  }
});

/* The id of an old client's socket in a namespace comes again when it joins again. */
test('who joins again is not told what became of the events of before', async (t) => {
  const { redis, gw } = await scene(t, { settings: { 'gateway.allow_eio3': true, 'socketio.namespaces': '/,/n' } });
  const c = await rawWs(t, gw, 'EIO=3&transport=websocket');
  assert.deepEqual([(await c.next())[0], await c.next()], ['0', '40']);
  c.send('40/n');
  assert.equal(await c.next(), '40/n,');
  for (let p = 0; p < PARTITIONS; p++) await redis.command('SET', stream(p), 'no stream');
  await redis.command('CLIENT', 'PAUSE', '60000', 'WRITE');
  c.send('42/n,1["before"]');
  await until(async () => await sum(gw, 'peal_work_pending') === 1, 'it is on its way');
  c.send('41/n', '40/n');
  assert.equal(await c.next(), '40/n,');
  c.send('42/n,2["after"]');
  await until(async () => await sum(gw, 'peal_work_pending') === 2, 'the other one, too');
  await redis.command('CLIENT', 'UNPAUSE');
  assert.match(await c.next(), /^43\/n,2\[\{"status":"error"/);
});

test('what waits too long for Redis is refused', async (t) => {
  const { redis, gw } = await scene(t, { settings: { 'bus.pending_max_age': 300 } });
  const c = await connected(t, gw);
  await redis.kill();
  await until(async () => await sum(gw, 'peal_work_down') === 1, 'the gateway has noticed');
  assert.deepEqual(await ask(c, 'e'), [{ status: 'error', code: 'workers_unavailable', message: 'the workers cannot be reached' }]);
  await redis.start();
});

test('without Redis and without a worker events are refused', async (t) => {
  const gw = await gateway(t, { ...OPEN, ...WORK });
  const c = await connected(t, gw);
  assert.deepEqual(await ask(c, 'e'), [{ status: 'error', code: 'workers_unavailable', message: 'the workers cannot be reached' }]);
});

test('a gateway with another number of partitions does not start', async (t) => {
  const redis = await startRedis(t);
  const [gw] = await cluster(t, redis, { n: 1, settings: WORK });
  await until(async () => await redis.command('GET', 'socket.io-peal-partitions') === '16', 'the count is written down');
  const other = new Program('gateway', ['--set', `redis.url=${redis.url}`, '--set', 'work.partitions=8', '--set', 'routes.events=*=worker',
    '--set', 'gateway.port=0', '--set', 'gateway.host=127.0.0.1', '--set', 'auth.mode=none']);
  assert.deepEqual(await within(other.exited, 'the end of the other one', 15000), { code: 1, signal: null });
  const line = 'peal-gateway: work.partitions: 8 is not allowed: the programs that use this Redis have 16';
  assert.equal(other.lines.filter((l) => l === line).length, 1, other.log);
  /* One that has no use for workers does not care. */
  await ready(await clusterGateway(t, redis, { 'work.partitions': 8 }));
  await ready(gw);
  assert.equal(await redis.command('EXISTS', stream(0)), 0);
});
