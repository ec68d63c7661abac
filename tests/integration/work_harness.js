/* Workers' programs, their leases and streams; and a worker for tests, beside cluster_harness.js: it reads the streams as any reader of Redis could, keeps
 * what it has read, and answers gateways on their own channels.
 *
 *   const worker = await TestWorker.start(t, redis, (item) => worker.ack(item, 'ok'));
 *   const item = await worker.items.next();
 *
 * It has the partitions to itself: no leases. An item that it has read is taken out of its stream. */
'use strict';
const assert = require('node:assert');
const { createClient, RESP_TYPES } = require('redis');
const { atEnd, Inbox, Program, until, within } = require('./harness');
const { notepack } = require('./interop_harness');

const PARTITIONS = 16;
const READ_LIMIT = 600000; // longer than any test
const [ACK, DATA, ADMIT, REFUSE] = [0, 4, 5, 6];
const stream = (p) => `socket.io-peal-work#{${p}}`;

/* The fields of an entry, by name; texts, but attachments as they are. */
function itemOf(partition, [entry, fields]) {
  const item = { partition, entry: String(entry), attachments: [] };
  for (let i = 0; i < fields.length; i += 2) {
    const name = String(fields[i]);
    const number = /^attachment(\d+)$/.exec(name);
    if (number) item.attachments[Number(number[1])] = fields[i + 1];
    else if (name in item) throw new Error(`${name} is there twice`);
    else item[name] = String(fields[i + 1]);
  }
  return item;
}

/* A connection that is made anew when a command fails. npm's `redis` sometimes forgets a command that was on
 * its way when the connection broke, and never says so. */
class Line {
  constructor(redis) {
    this.redis = redis;
  }
  /* null: it failed. */
  async command(words, options) {
    try {
      if (!this.client) await this.connect();
      return await within(this.client.sendCommand(words, options), `answer to ${words[0]}`, 3000);
    } catch {
      this.close();
      return null;
    }
  }
  async connect() {
    this.client = createClient({ url: this.redis.url, socket: { reconnectStrategy: false } });
    this.client.on('error', () => {});
    await within(this.client.connect(), 'connection of the test worker');
  }
  close() {
    if (this.client && this.client.isOpen) this.client.destroy();
    this.client = null;
  }
}

class TestWorker {
  /* onItem: called with each item, in the order of its partition. */
  static async start(t, redis, onItem = () => {}) {
    const worker = new TestWorker();
    Object.assign(worker, { onItem, all: [], items: new Inbox('items'), last: new Map() });
    Object.assign(worker, { reading: new Line(redis), telling: new Line(redis) });
    worker.done = worker.read();
    atEnd(t, () => worker.stop());
    return worker;
  }
  async stop() {
    this.stopped = true;
    await within(this.done, 'end of the test worker');
    this.reading.close();
    this.telling.close();
  }
  async read() {
    const raw = { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } };
    while (!this.stopped) {
      const from = Array.from({ length: PARTITIONS }, (_, p) => this.last.get(p) || '0');
      const names = from.map((_, p) => stream(p));
      const command = ['XREAD', 'COUNT', '100', 'BLOCK', '50', 'STREAMS', ...names, ...from];
      /* Nothing, or Redis is away: again. */
      const got = await until(() => this.stopped || this.reading.command(command, raw), 'items', READ_LIMIT);
      if (got === true) return;
      for (const [name, entries] of got) await this.take(Number(/\{(\d+)\}/.exec(String(name))[1]), entries);
    }
  }
  async take(partition, entries) {
    for (const entry of entries) {
      const item = itemOf(partition, entry);
      this.last.set(partition, item.entry);
      this.all.push(item);
      this.items.put(item);
      await this.onItem(item);
    }
    await this.reading.command(['XDEL', stream(partition), ...entries.map(([id]) => String(id))]);
  }
  /* Redis may be away: then it is lost, as with a worker that dies. */
  tell(item, command, ...more) {
    const bytes = notepack.encode([command, item.nsp, item.sid, Number(item.serial), ...more]);
    return this.telling.command(['PUBLISH', `socket.io-peal-direct#${item.gateway}`, Buffer.from(bytes)]);
  }
  ack(item, ...values) {
    return item.ack === undefined ? undefined : this.tell(item, ACK, Number(item.ack), JSON.stringify(values), []);
  }
  admit(item) {
    return this.tell(item, ADMIT);
  }
  refuse(item, error) {
    return this.tell(item, REFUSE, JSON.stringify(error));
  }
  /* Those of a type, so far. */
  of(type) {
    return this.all.filter((i) => i.type === type);
  }
}

/* A worker's program: {id, adminPort}. settings has redis.url. */
async function startWorker(t, name, settings) {
  const all = { 'admin.port': 0, 'admin.host': '127.0.0.1', ...settings };
  const w = new Program(name, Object.entries(all).flatMap(([k, v]) => ['--set', `${k}=${v}`]));
  atEnd(t, () => w.stop());
  const line = await Promise.race([w.line(/msg=working/, 15000), w.exited.then(() => '')]);
  assert.ok(line, w.log);
  w.id = / worker=(\S+)/.exec(line)[1];
  w.adminPort = Number(/ port=(\d+)/.exec(await w.line(/msg="admin listening"/))[1]);
  return w;
}

/* Whose each partition is; null: nobody's. Redis is asked on new connections: those of a client of the test would be
 * broken by what tests break. */
async function leases(redis, partitions = PARTITIONS) {
  const values = await redis.command('MGET', ...Array.from({ length: partitions }, (_, p) => `socket.io-peal-lease#{${p}}`));
  return values.map((v) => v && v.split(' ')[0]);
}

/* Each of these workers has its share of partitions. */
function fairShares(redis, workers, partitions = PARTITIONS) {
  return until(async () => {
    const owners = await leases(redis, partitions);
    const has = workers.map((w) => owners.filter((id) => id === w.id).length);
    return has.reduce((a, b) => a + b) === partitions && Math.max(...has) - Math.min(...has) <= 1;
  }, 'fair shares', 15000);
}

/* Items in all streams now. */
async function backlog(redis, partitions = PARTITIONS) {
  const lengths = await Promise.all(Array.from({ length: partitions }, (_, p) => redis.command('XLEN', stream(p))));
  return lengths.reduce((a, b) => a + Number(b), 0);
}

/* How many sockets gateways have noted as told. */
async function noted(redis) {
  const keys = await redis.command('KEYS', 'socket.io-peal-sockets#*');
  const lengths = await Promise.all(keys.map((k) => redis.command('HLEN', k)));
  return lengths.reduce((a, b) => a + Number(b), 0);
}

module.exports = { backlog, DATA, fairShares, leases, noted, PARTITIONS, startWorker, stream, TestWorker };
