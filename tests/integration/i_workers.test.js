/* Workers on a real Redis: leases, deaths, pauses, dead letters. Items are put into the streams by hand; what
 * has effects is heard on the adapter's channels. */
'use strict';
const { test } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const notepack = require('notepack.io');
const { environment, request, ROOT, run, until } = require('./harness');
const { startRedis, redisClient, tap } = require('./cluster_harness');
const { backlog, fairShares, leases, startWorker } = require('./work_harness');

const PARTITIONS = 4;
const KEY = 'socket.io';
const LEASE = 1000;

const worker = (t, redis, settings = {}) => startWorker(t, 'worker-fixture',
  { 'redis.url': redis.url, 'work.partitions': PARTITIONS, 'worker.lease_time': LEASE, ...settings });
const allLeased = (redis, workers) => fairShares(redis, workers, PARTITIONS);

/* Items of made-up sockets, numbered; what was said of each is kept in order. */
class Sockets {
  constructor(client, n) {
    this.client = client;
    this.n = n;
    this.sent = 0;
    this.said = Array.from({ length: n }, () => []);
  }
  item(event, socket, number) {
    return { type: 'event', id: `gw-${number}`, nsp: '/', sid: `socket${socket}`, gateway: 'gw', serial: '1',
      user: `s${socket}`, claims: '{}', data: 'null', time: '1', event, args: JSON.stringify([event]) };
  }
  async send(count) {
    const adds = [];
    for (let i = 0; i < count; i++) {
      const socket = this.sent % this.n;
      adds.push(this.client.xAdd(`${KEY}-peal-work#{${socket % PARTITIONS}}`, '*',
        this.item('say', socket, ++this.sent)));
    }
    await Promise.all(adds);
  }
  hear({ message }) {
    const [, packet] = notepack.decode(message);
    const [, room, id] = packet.data;
    this.said[Number(room.slice(1))].push(Number(id.slice(3)));
  }
  check() {
    const all = this.said.flat();
    assert.equal(all.length, this.sent, 'each item has effects once');
    for (const numbers of this.said)
      assert.deepEqual(numbers, [...numbers].sort((a, b) => a - b), 'in the order of the socket');
    assert.equal(new Set(all).size, this.sent);
  }
}

async function start(t, options = {}) {
  const redis = await startRedis(t, options);
  const client = await redisClient(t, redis);
  const sockets = new Sockets(client, 40);
  await tap(t, redis, `${KEY}#/#s*`, (m) => sockets.hear(m));
  return { redis, client, sockets };
}

const done = (redis, sockets) => until(async () =>
  sockets.said.flat().length >= sockets.sent && await backlog(redis, PARTITIONS) === 0, 'all is done', 30000);

test('workers share, one stops in good order: its partitions go on at once', async (t) => {
  const { redis, sockets } = await start(t);
  const workers = await Promise.all([worker(t, redis), worker(t, redis), worker(t, redis)]);
  await allLeased(redis, workers);
  await sockets.send(600);
  await workers[0].stop();
  assert.ok(!(await leases(redis, PARTITIONS)).includes(workers[0].id), 'its leases are given back');
  await sockets.send(200);
  await done(redis, sockets);
  sockets.check();
  await allLeased(redis, workers.slice(1));
});

test('a worker that is killed: others take over, effects happen once and in order', async (t) => {
  const { redis, sockets } = await start(t);
  const workers = await Promise.all([worker(t, redis), worker(t, redis), worker(t, redis)]);
  await allLeased(redis, workers);
  await sockets.send(1000);
  await workers[1].kill();
  await sockets.send(200);
  await done(redis, sockets);
  sockets.check();
  await allLeased(redis, [workers[0], workers[2]]);
});

test('a worker that is stopped past its lease and continued has no say any more', async (t) => {
  const { redis, sockets } = await start(t);
  const workers = await Promise.all([worker(t, redis), worker(t, redis)]);
  await allLeased(redis, workers);
  await sockets.send(1000);
  workers[0].child.kill('SIGSTOP');
  await allLeased(redis, [workers[1]]);
  await sockets.send(200);
  await done(redis, sockets);
  workers[0].child.kill('SIGCONT');
  await allLeased(redis, workers);
  await sockets.send(200);
  await done(redis, sockets);
  sockets.check();
});

test('Redis is killed and comes back with its append-only file', async (t) => {
  const { redis, client, sockets } = await start(t, { aof: true });
  const workers = await Promise.all([worker(t, redis), worker(t, redis)]);
  await allLeased(redis, workers);
  await sockets.send(400);
  await redis.kill();
  await redis.start();
  await until(() => client.isReady, 'the test is connected again', 10000);
  await until(async () => await backlog(redis, PARTITIONS) === 0, 'all is done', 30000);
  /* What was published while the test was away it has not heard; nothing comes twice. */
  const all = sockets.said.flat();
  assert.equal(new Set(all).size, all.length);
  await allLeased(redis, workers);
});

test('dead letters are looked at, put back, dropped', async (t) => {
  const { redis, client, sockets } = await start(t);
  const w = await worker(t, redis, { 'worker.attempts': 2 });
  const dead = (...args) => run('peal', ['dead', '--redis', redis.url, ...args], { env: environment() });
  assert.deepEqual((await dead('list')).stdout, 'there are no dead letters\n');
  const items = [1, 2, 3].map((n) => sockets.item('fail', n, n));
  for (const item of items) await client.xAdd(`${KEY}-peal-work#{1}`, '*', item);
  await client.xAdd(`${KEY}-peal-work#{2}`, '*', { what: '\x1b[31mno item' });
  await until(async () => await client.xLen(`${KEY}-peal-dead`) === 4, 'all are buried');
  const list = await dead('list', '--json');
  assert.equal(list.code, 0);
  const letters = list.stdout.trim().split('\n').map(JSON.parse);
  const good = letters.filter((l) => l.fields.id);
  assert.deepEqual(good.map((l) => [l.fields.id, l.fields.event, l.fields['dead.why'], l.fields['dead.partition'],
    l.fields['dead.worker']]), [1, 2, 3].map((n) => [`gw-${n}`, 'fail', 'as it was told', '1', w.id]));
  assert.match((await dead('list')).stdout, /^ID .*WHY\n[^]*as it was told\n/);
  const show = await dead('show', letters.find((l) => !l.fields.id).id);
  assert.match(show.stdout, /what +\.\[31mno item/, 'a terminal is not told what to do');

  const replayed = await dead('replay', good[0].id);
  assert.deepEqual([replayed.code, replayed.stdout], [0, '1 put back\n']);
  await until(async () => (await dead('list', '--json')).stdout.split('\n').length === 5, 'it is buried again');
  assert.equal((await dead('drop', good[1].id)).stdout, '1 dropped\n');
  const gone = await dead('drop', good[1].id);
  assert.deepEqual([gone.code, gone.stderr], [1, `peal dead: ${good[1].id}: is not there\n`]);
  assert.equal((await dead('drop', '--all')).stdout, '3 dropped\n');
  assert.equal(await client.xLen(`${KEY}-peal-dead`), 0);
  assert.equal((await dead('bury')).code, 2);
});

test('a worker on its admin port, and in peal status', async (t) => {
  const { redis, client, sockets } = await start(t);
  const w = await worker(t, redis, { 'bus.heartbeat_interval': 100, 'bus.heartbeat_timeout': 2000 });
  await allLeased(redis, [w]);
  const get = (path) => request({ port: w.adminPort }, { path });
  assert.equal((await get('/healthz')).body, 'ok\n');
  const ready = await get('/readyz');
  assert.deepEqual([ready.status, JSON.parse(ready.body)], [200, { ready: true, reasons: [] }]);
  assert.equal((await get('/api/sockets')).status, 404);
  await sockets.send(20);
  await done(redis, sockets);
  const finished = async () => {
    const { body } = await get('/metrics');
    return /^peal_worker_ready 1$/m.test(body) && /^peal_worker_partitions 4$/m.test(body) && /^peal_worker_items_total 20$/m.test(body) &&
      /^peal_worker_finished_total 20$/m.test(body) && /^peal_worker_in_hand 0$/m.test(body);
  };
  await until(finished, 'the metrics say so');

  const status = async () => JSON.parse((await run('peal', ['status', '--json', '--redis', redis.url])).stdout);
  const { workers, nodes } = await until(async () => {
    const seen = await status();
    return seen.workers.length === 1 && seen.workers[0].partitions === 4 && seen;
  }, 'its heartbeat');
  assert.deepEqual([workers[0].id, workers[0].pid, workers[0].in_hand, workers[0].backlog, nodes],
    [w.id, w.child.pid, 0, 0, []]);

  w.child.kill('SIGHUP'); /* for gateways; a worker goes on */
  await w.line(/SIGHUP: a worker reads its configuration only when it starts/);

  await client.sendCommand(['CLIENT', 'PAUSE', '3000', 'ALL']);
  const away = await until(async () => {
    const r = await get('/readyz');
    return r.status === 503 && JSON.parse(r.body);
  }, 'it is not ready', 10000);
  assert.equal(away.ready, false);
  assert.ok(away.reasons.length > 0);
  assert.equal((await get('/healthz')).status, 200);
  await until(async () => (await get('/readyz')).status === 200, 'it is ready again', 15000);
});

test('with a user of Redis who may do no more than needed', async (t) => {
  const operations = fs.readFileSync(path.join(ROOT, 'docs/operations.md'), 'utf8');
  const workers = fs.readFileSync(path.join(ROOT, 'docs/workers.md'), 'utf8');
  const [gateway] = /~socket\.io\* &\* [^`]*/.exec(operations);
  const [, more] = /also `(\+xadd [^`]*)`/.exec(operations);
  const [, own] = /```\n(\+evalsha [^`]*)\n```/.exec(workers);
  const may = `${gateway} ${more} ${own}`.replace(/\s+/g, ' ');
  const { redis, client, sockets } = await start(t, { password: 'admin', users: [`peal on >word ${may}`] });
  const limited = { url: `redis://peal:word@127.0.0.1:${redis.port}` };
  const ws = await Promise.all([worker(t, limited), worker(t, limited)]);
  await allLeased(redis, ws);
  await sockets.send(100);
  await done(redis, sockets);
  sockets.check();
  await client.xAdd(`${KEY}-peal-work#{1}`, '*', { what: 'no item' });
  await until(async () => await client.xLen(`${KEY}-peal-dead`) === 1, 'it is buried');
  await client.hSet(`${KEY}-peal-sockets#gone`, '/\nsocket1', '{"serial":5,"user":"s1","claims":{},"data":null}');
  await until(async () => !(await client.exists(`${KEY}-peal-sockets#gone`)), 'the lost socket is told');
  await ws[0].kill();
  await sockets.send(100);
  await done(redis, sockets);
  sockets.check();
  await allLeased(redis, [ws[1]]);
  assert.doesNotMatch(ws[1].log, /NOPERM/);
  assert.deepEqual(await client.sendCommand(['ACL', 'LOG']), []);
});

test('another number of partitions is refused at the start', async (t) => {
  const { redis } = await start(t);
  const w = await worker(t, redis);
  await allLeased(redis, [w]);
  const other = await run('peal-worker', ['--set', `redis.url=${redis.url}`, '--set', 'work.partitions=8']);
  assert.equal(other.code, 1);
  assert.match(other.stderr, /work\.partitions: 8 is not allowed: the cluster of bus\.key .* has 4/);
  const alone = await run('peal-worker', []);
  assert.deepEqual([alone.code, alone.stderr],
    [1, 'peal-worker: redis.url: empty is not allowed: a worker takes its items from Redis\n']);
});
