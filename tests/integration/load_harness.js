/* Many clients on gateways with workers behind them, and the judgement afterwards.
 *
 *   const load = await startLoad(t, { clients: 200 });
 *   load.say(500);                         // each of them; every other event is a C module's, the rest HTTP's
 *   … break something, mend it …
 *   await load.answered();
 *   await load.judge();
 *
 * The module (worker-module.c) and the backend (load_backend.js) write down what they are given. What
 * judge() demands:
 *
 *   - every event has one ack, with its own number, and a client's acks come in its events' order; the same
 *     of the events that handlers send back (told)
 *   - handlers have seen every event; each first in the order its client sent it; again only with the
 *     same item id
 */
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { atEnd, connected, Program, program, request, tempDir, until } = require('./harness');
const { cluster, metrics, startRedis } = require('./cluster_harness');
const { backlog, fairShares, startWorker } = require('./work_harness');

const ACK = 3; // Socket.IO's packet

const numbers = (n) => Array.from({ length: n }, (_, i) => i);

class Speaker {
  constructor(load, socket) {
    Object.assign(this, { load, socket, sent: 0, limit: 0, answered: 0, acks: [], values: [], did: [] });
    socket.io.on('packet', (packet) => {
      if (packet.type === ACK) this.acks.push(packet.id);
    });
    socket.on('did', (n) => this.did.push(n));
  }
  /* At most `window` are on their way at a time. */
  go() {
    while (this.sent < this.limit && this.sent - this.answered < this.load.window) {
      const n = this.sent++;
      this.socket.emit(this.load.name(n), n, (value) => {
        this.values[n] = value;
        this.answered++;
        this.go();
      });
    }
  }
}

class Load {
  name(n) {
    return (n % 2 ? 'h' : 'c') + (this.told ? '-told' : '');
  }
  /* So many events more of each client. */
  say(count) {
    for (const s of this.speakers) {
      s.limit += count;
      s.go();
    }
  }
  acked() {
    return this.speakers.reduce((n, s) => n + s.answered, 0);
  }
  answered(ms = 60000) {
    return until(() => this.speakers.every((s) => s.answered === s.limit), 'all is answered', ms);
  }
  backlog() {
    return backlog(this.redis);
  }
  /* Each of these workers has its share of partitions. */
  shared(workers = this.workers) {
    return fairShares(this.redis, workers);
  }
  worker() {
    return startWorker(this.t, 'peal-worker', {
      'redis.url': this.redis.url, 'worker.modules': `${program('worker-module')}=${this.file}`,
      'worker.http': JSON.stringify(this.routes), ...this.workerSettings,
    });
  }
  async sum(programs, name) {
    const all = await Promise.all(programs.map(async (p) => (await metrics(p)).sum(name)));
    return all.reduce((a, b) => a + b);
  }
  /* What handlers have seen: of each socket the items of module and backend, as they came. */
  async record() {
    const c = fs.readFileSync(this.file, 'utf8').trim().split('\n');
    const h = (await request(this.backend, { path: '/record' })).body.split('\n');
    const seen = new Map(this.speakers.map((s) => [s.socket.id, [[], []]]));
    for (const [which, lines] of [c, h].entries()) {
      for (const line of lines.filter(Boolean)) {
        const [item, sid, n] = line.split(' ');
        seen.get(sid)[which].push({ item, n: Number(n) });
      }
    }
    return seen;
  }
  /* Gives how often handlers were given an item again, and how many acks are missing. lost: of so many of each
   * client's first events ack and told event may be missing. */
  async judge({ lost = 0 } = {}) {
    const seen = await this.record();
    const items = new Map(); // id → socket and number
    let calls = 0;
    let missing = 0;
    for (const { socket, limit, acks, values, did } of this.speakers) {
      const all = numbers(limit);
      if (lost) {
        missing += limit - acks.length;
        for (const list of [acks, did]) {
          assert.deepEqual(list, [...new Set(list)].sort((a, b) => a - b), 'once, and in the order of the socket');
          assert.deepEqual(list.filter((n) => n >= lost), all.slice(lost), 'none of the later ones is missing');
        }
        acks.forEach((n) => assert.equal(values[n], n));
      } else {
        assert.deepEqual(acks, all, 'one ack for each event, in their order');
        assert.deepEqual(values, all, 'with its number');
        assert.deepEqual(did, this.told ? all : [], 'one effect of each');
      }
      for (const [which, list] of seen.get(socket.id).entries()) {
        calls += list.length;
        const first = [...new Set(list.map((i) => i.n))];
        assert.deepEqual(first, all.filter((n) => n % 2 === which), 'handlers see all, in their order');
        for (const { item, n } of list) {
          const known = items.get(item);
          items.set(item, known || `${socket.id} ${n}`);
          assert.equal(items.get(item), `${socket.id} ${n}`, 'an item is one event');
        }
      }
    }
    assert.equal(items.size, this.speakers.reduce((n, s) => n + s.limit, 0), 'an event is one item');
    return { again: calls - items.size, missing };
  }
}

/* A backend of its own process: {port}. */
async function startBackend(t) {
  const backend = new Program(process.execPath, [path.join(__dirname, 'load_backend.js')]);
  atEnd(t, () => backend.stop());
  backend.port = Number(/port=(\d+)/.exec(await backend.line(/listening port=/))[1]);
  backend.url = `http://127.0.0.1:${backend.port}`;
  return backend;
}

/* 2 gateways and 3 workers on a Redis. told: handlers send an event besides the ack. redis, settings and
 * workerSettings: options of startRedis, of gateways, of workers. routes: further entries of worker.http. */
async function startLoad(t, { clients, window = 20, told = false, redis = {}, settings = {}, workerSettings = {}, routes = [] }) {
  const load = Object.assign(new Load(), { t, window, told, workerSettings });
  load.file = path.join(tempDir(t), 'record');
  load.redis = await startRedis(t, redis);
  load.backend = await startBackend(t);
  load.routes = [...routes, { url: `${load.backend.url}/do`, events: ['h', 'h-told'] }];
  const [gws, workers] = await Promise.all([
    cluster(t, load.redis, { n: 2, settings: { 'routes.events': '*=worker', ...settings } }),
    Promise.all([load.worker(), load.worker(), load.worker()]),
  ]);
  Object.assign(load, { gws, workers });
  const sockets = await Promise.all(numbers(clients).map((i) => connected(t, gws[i % 2])));
  load.speakers = sockets.map((s) => new Speaker(load, s));
  await load.shared();
  return load;
}

module.exports = { startBackend, startLoad };
