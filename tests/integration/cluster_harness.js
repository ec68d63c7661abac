/* What the tests of the cluster stand on, beside harness.js: a real Redis per test that can be killed,
 * paused and started again, Sentinels, a TCP proxy that can swallow what passes, gateways on them,
 * Node's Socket.IO server with the official adapter, and emitters.
 *
 *   const redis = await startRedis(t);
 *   const gws = await cluster(t, redis, { n: 3, settings: { 'bus.canary_timeout': 1000 } });
 *   await redis.pause();  await redis.resume();  await redis.kill();  await redis.start();
 *   await ready(gws[0]);  await unready(gws[0]);
 *   (await metrics(gws[0])).sum('peal_bus_gaps_total')
 *
 * Everything is on 127.0.0.1 and ends with the test. */
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const path = require('node:path');
const { once } = require('node:events');
const { createAdapter } = require('@socket.io/redis-adapter');
const { Emitter } = require('@socket.io/redis-emitter');
const { createClient } = require('redis');
const { Server } = require('socket.io');
const { atEnd, gateway, Program, request, ROOT, run, tempDir, until, within } = require('./harness');

const PYTHON = '/usr/bin/python3'; // Debian's: it has the packages that deploy/setup installs
const REDIS = ['/usr/bin/redis-server', '/usr/local/bin/redis-server'].find((p) => fs.existsSync(p)) || 'redis-server';
const OPEN = { 'auth.mode': 'none', 'auth.secret': null };

/* ---- ports that outlive a program */

/* A port that is free and outside the range from which the system takes the ports of outgoing connections
 * (32768 and up). A Redis that is away for a while must get its port back; and one who connects to a
 * free port of that range can even be connected with himself. */
async function lastingPort() {
  for (;;) {
    const port = 20000 + Math.floor(Math.random() * 12000);
    const server = net.createServer();
    const free = await new Promise((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!free) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}

/* ---- Redis */

/* One redis-server on a port of its own, without persistence unless aof is set. */
class Redis {
  constructor(t, { port, aof = false, password = '', users = [], socket = false, config = [], sentinel = false }) {
    this.port = port;
    this.password = password;
    this.dir = tempDir(t);
    this.sentinel = sentinel;
    this.socket = socket ? path.join(this.dir, 'redis.sock') : '';
    this.url = `redis://${password ? `:${encodeURIComponent(password)}@` : ''}127.0.0.1:${port}`;
    const lines = sentinel ? [] : [
      'save ""', `appendonly ${aof ? 'yes' : 'no'}`, 'appendfsync always', 'enable-debug-command local',
      ...(password ? [`requirepass ${password}`] : []), ...users.map((u) => `user ${u}`),
      ...(socket ? [`unixsocket ${this.socket}`] : []),
    ];
    this.file = path.join(this.dir, 'redis.conf');
    fs.writeFileSync(this.file,
      [`port ${port}`, 'bind 127.0.0.1', `dir ${this.dir}`, ...lines, ...config, ''].join('\n'), { mode: 0o600 });
    atEnd(t, () => this.stop());
  }
  get pid() {
    return this.program.child.pid;
  }
  /* Starts it, on the same port and with the same data as before. */
  async start() {
    const args = [this.file, ...(this.sentinel ? ['--sentinel'] : [])];
    this.program = new Program(REDIS, args, {}, 'stdout');
    const started = this.sentinel ? /\+monitor master/ : /Ready to accept connections/i;
    const line = await Promise.race([this.program.line(started), this.program.exited.then(() => '')]);
    assert.ok(line, `${REDIS} did not start:\n${this.program.log}`);
    return this;
  }
  /* SIGKILL: nobody is told, the kernel resets the connections. */
  kill() {
    return this.program.kill();
  }
  /* Ends it in good order. */
  stop() {
    if (!this.program || this.program.stopped) return undefined;
    this.program.child.kill('SIGCONT');
    return this.program.stop();
  }
  /* Alive for TCP and deaf and dumb for everybody. */
  async pause() {
    this.program.child.kill('SIGSTOP');
    await until(() => /^State:\s+T/m.test(fs.readFileSync(`/proc/${this.pid}/status`, 'utf8')), 'Redis is stopped');
  }
  resume() {
    this.program.child.kill('SIGCONT');
  }
  /* One command, on a connection of its own: redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub'). */
  async command(...words) {
    const client = createClient({ url: this.url, socket: { reconnectStrategy: false } });
    client.on('error', () => {});
    await within(client.connect(), `connection to Redis for ${words[0]}`);
    try {
      return await within(client.sendCommand(words.map(String)), `answer to ${words.join(' ')}`, 15000);
    } finally {
      client.destroy();
    }
  }
  /* CLIENT LIST as objects: {name, sub, psub, addr, cmd, …}. */
  async clients() {
    const text = await this.command('CLIENT', 'LIST');
    return text.trim().split('\n').map((line) => Object.fromEntries(line.trim().split(' ')
      .map((w) => [w.slice(0, w.indexOf('=')), w.slice(w.indexOf('=') + 1)])));
  }
  /* How many subscribe to that channel by name. */
  async subscribers(channel) {
    return Number((await this.command('PUBSUB', 'NUMSUB', channel))[1]);
  }
}

/* options: aof, password, users (lines of the access list: 'peal on >word ~* &* +@all'), socket (also a
 * Unix socket, redis.socket), config (lines of redis.conf), port. */
async function startRedis(t, options = {}) {
  return new Redis(t, { ...options, port: options.port || await lastingPort() }).start();
}

/* A connected client of npm's `redis`, which connects again by itself. */
async function redisClient(t, redis, options = {}) {
  const client = createClient({ url: redis.url, ...options });
  client.on('error', () => {}); // Redis is away: that is what some tests are about
  /* The adapter and the emitter do not look at what becomes of these. */
  for (const name of ['publish', 'subscribe', 'pSubscribe', 'unsubscribe', 'pUnsubscribe']) {
    const command = client[name].bind(client);
    client[name] = (...args) => {
      const outcome = command(...args);
      outcome.catch(() => {});
      return outcome;
    };
  }
  atEnd(t, () => client.destroy());
  await within(client.connect(), 'connection of a Redis client');
  return client;
}

/* Everything published on channels that match, from now on: {channel, message (Buffer)}. */
async function tap(t, redis, pattern, onMessage) {
  const client = await redisClient(t, redis);
  await client.pSubscribe(pattern, (message, channel) => onMessage({ channel: channel.toString(), message }), true);
}

/* ---- Sentinel */

/* A master, a replica and n Sentinels that know all of them. */
async function startSentinels(t, { n = 1, downAfter = 500, password = '' } = {}) {
  const auth = password ? [`masterauth ${password}`] : [];
  const master = await startRedis(t, { password, config: auth });
  const replica = await startRedis(t, {
    password, config: [...auth, `replicaof 127.0.0.1 ${master.port}`, 'repl-diskless-sync-delay 0'],
  });
  const quorum = Math.floor(n / 2) + 1;
  const sentinels = [];
  for (let i = 0; i < n; i++) {
    sentinels.push(await startRedis(t, {
      sentinel: true,
      config: [
        `sentinel monitor mymaster 127.0.0.1 ${master.port} ${quorum}`,
        `sentinel down-after-milliseconds mymaster ${downAfter}`,
        'sentinel failover-timeout mymaster 3000',
        ...(password ? [`sentinel auth-pass mymaster ${password}`] : []),
      ],
    }));
  }
  const told = async (s, what) => (await s.command('SENTINEL', what, 'mymaster')).length;
  for (const s of sentinels) {
    await until(async () => await told(s, 'REPLICAS') === 1 && await told(s, 'SENTINELS') === n - 1,
      'a Sentinel knows the others', 20000);
  }
  await until(async () => /master_link_status:up/.test(await replica.command('INFO', 'replication')),
    'the replica follows its master', 20000);
  const ports = sentinels.map((s) => `127.0.0.1:${s.port}`);
  return {
    master, replica, sentinels,
    settings: { 'redis.url': password ? `redis://:${password}@sentinel` : 'redis://sentinel', 'redis.sentinels': ports.join() },
    /* The port of the master that the first Sentinel names. */
    masterPort: async () => Number((await sentinels[0].command('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'mymaster'))[1]),
  };
}

/* ---- a proxy that can be bad */

/* libuv tells a reset that comes just behind data as an end; the kernel knows the difference: after an end
 * there is still a connection. */
function wasReset(socket) {
  if (!socket.remotePort) return true; // the kernel has forgotten it
  const hex = (port) => port.toString(16).toUpperCase().padStart(4, '0');
  const ends = new RegExp(`:${hex(socket.localPort)} [0-9A-F]+:${hex(socket.remotePort)} 08 `);
  return !ends.test(fs.readFileSync('/proc/net/tcp', 'utf8'));
}

/* One direction of a connection through the proxy: bytes and ends go on in order, `delay` ms later, and not
 * at all while they are held. */
class ProxyWay {
  constructor(pair, from, to) {
    this.pair = pair;
    this.to = to;
    this.queue = [];
    from.setNoDelay(true);
    from.on('data', (chunk) => this.put(chunk));
    /* As in a network: who resets his end takes back what is still under way. */
    const reset = () => {
      this.queue = [];
      this.put('reset');
    };
    from.on('end', () => (wasReset(from) ? reset() : this.put(null)));
    from.on('error', reset);
    from.on('close', () => pair.forget());
  }
  put(item) {
    const { proxy, role } = this.pair;
    this.queue.push({ item, at: Date.now() + proxy.delay + (role === 'subscribe' ? proxy.subscribeDelay : 0) });
    if (this.queue.length === 1) this.pump();
  }
  pump() {
    clearTimeout(this.timer);
    while (!this.pair.held && this.queue.length && this.queue[0].at <= Date.now()) {
      const { item } = this.queue.shift();
      if (this.to.destroyed) continue;
      if (item === 'reset') this.pair.reset();
      else if (item) this.to.write(item);
      else this.to.end();
    }
    if (!this.pair.held && this.queue.length) this.timer = setTimeout(() => this.pump(), this.queue[0].at - Date.now());
  }
}

/* A connection through the proxy. Its role is 'subscribe' once the client has subscribed to something,
 * before that and otherwise 'publish'. */
class ProxyPair {
  constructor(proxy, down) {
    this.proxy = proxy;
    this.role = 'publish';
    this.held = false;
    this.down = down;
    this.up = net.connect({ port: proxy.target.port, host: '127.0.0.1', allowHalfOpen: true });
    down.on('data', (chunk) => {
      if (/\$\d+\r\nP?SUBSCRIBE\r\n/i.test(chunk.toString('latin1'))) this.role = 'subscribe';
      proxy.apply(this);
    });
    this.ways = [new ProxyWay(this, this.down, this.up), new ProxyWay(this, this.up, this.down)];
  }
  forget() {
    if (this.down.destroyed && this.up.destroyed) this.proxy.pairs.delete(this);
  }
  /* Nothing passes any more, and neither end is told. */
  hold() {
    this.held = true;
  }
  release() {
    this.held = false;
    for (const way of this.ways) way.pump();
  }
  reset() {
    for (const way of this.ways) clearTimeout(way.timer);
    this.down.resetAndDestroy();
    this.up.resetAndDestroy();
  }
}

/* Between gateways and Redis. `of` says which connections: 'subscribe', 'publish' or 'all'. */
class Proxy {
  constructor(t, target) {
    this.target = target;
    this.pairs = new Set();
    this.holes = new Set();
    this.delay = 0;
    this.subscribeDelay = 0;
    this.server = net.createServer({ allowHalfOpen: true }, (down) => {
      this.pairs.add(new ProxyPair(this, down));
    });
    atEnd(t, async () => {
      this.server.close();
      for (const p of this.pairs) p.reset();
      await once(this.server, 'close');
    });
  }
  is(pair, of) {
    return of === 'all' || pair.role === of;
  }
  apply(pair) {
    if ([...this.holes].some((of) => this.is(pair, of))) pair.hold();
  }
  /* Black hole: the connections that are there swallow everything, as after a cable was pulled; with
   * lasting, those that come later, too. At heal() what both ends still stand by goes on its way. */
  hole(of = 'all', { lasting = false } = {}) {
    const pairs = [...this.pairs].filter((p) => this.is(p, of) && !p.down.destroyed);
    assert.ok(pairs.length, `the proxy has no connections of ${of}`);
    for (const p of pairs) p.hold();
    if (lasting) this.holes.add(of);
  }
  heal() {
    this.holes.clear();
    for (const p of this.pairs) p.release();
  }
  /* Resets the connections that are there. */
  cut(of = 'all') {
    for (const p of this.pairs) if (this.is(p, of)) p.reset();
  }
}

/* A proxy before that Redis, with its url. proxy.delay = ms slows both ways, proxy.subscribeDelay those
 * connections that subscribe, in addition. */
async function startProxy(t, redis) {
  const proxy = new Proxy(t, redis);
  proxy.server.listen(await lastingPort(), '127.0.0.1');
  await once(proxy.server, 'listening');
  proxy.port = proxy.server.address().port;
  proxy.url = redis.url.replace(/:\d+$/, `:${proxy.port}`);
  return proxy;
}

/* ---- gateways */

/* One gateway on that Redis (or proxy, or what startSentinels() gave), without authentication unless
 * settings say so; not waited for to be ready. */
function clusterGateway(t, redis, settings = {}, options = {}) {
  const where = redis.settings || { 'redis.url': redis.url };
  return gateway(t, { ...OPEN, ...where, 'admin.host': '127.0.0.1', 'admin.port': 0, ...settings }, options);
}

/* n gateways that are ready. settings: for all, or a function of the index. */
async function cluster(t, redis, { n = 3, settings = {}, ...options } = {}) {
  const of = typeof settings === 'function' ? settings : () => settings;
  const gws = await Promise.all(Array.from({ length: n }, (_, i) => clusterGateway(t, redis, of(i), options)));
  await Promise.all(gws.map((gw) => ready(gw)));
  return gws;
}

/* What the admin port answers to GET path. */
async function admin(gw, target) {
  if (!gw.adminPort) gw.adminPort = Number(/ port=(\d+)/.exec(await gw.line(/msg="?admin listening/))[1]);
  return request({ port: gw.adminPort }, { path: target });
}

async function readiness(gw) {
  const r = await admin(gw, '/readyz');
  return { ready: r.status === 200, ...r };
}

/* The gateway says that it is ready, now or within ms. */
const ready = (gw, ms = 10000) => until(async () => (await readiness(gw)).ready, 'the gateway is ready', ms);
const unready = (gw, ms = 10000) => until(async () => {
  const r = await readiness(gw);
  return !r.ready && r;
}, 'the gateway is not ready', ms);

/* The metrics: a Map from 'name{labels}' to the number; sum(name) adds all of a name, 0 if none. */
async function metrics(gw) {
  const r = await admin(gw, '/metrics');
  assert.equal(r.status, 200, r.body);
  const all = new Map();
  for (const line of r.body.split('\n')) {
    const m = /^([a-zA-Z_:][\w:]*(?:\{.*\})?) (\S+)$/.exec(line);
    if (m) all.set(m[1], Number(m[2]));
  }
  all.sum = (name) => [...all].filter(([k]) => k === name || k.startsWith(`${name}{`)).reduce((n, [, v]) => n + v, 0);
  return all;
}

/* Resident memory in KiB. */
const rss = (gw) => Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${gw.child.pid}/status`, 'utf8'))[1]);
/* The address sanitizer reserves terabytes for its shadow. */
const isSanitized = (gw) =>
  Number(/VmSize:\s+(\d+)/.exec(fs.readFileSync(`/proc/${gw.child.pid}/status`, 'utf8'))[1]) > 2 ** 30;

/* ---- other members of the cluster */

/* Node's Socket.IO server with the official Redis adapter: {io, url, port, path}, good for client(). options
 * are the adapter's. namespaces besides / are made with peer.of(), which waits for their subscriptions. */
async function nodePeer(t, redis, options = {}) {
  const pub = await redisClient(t, redis);
  const sub = await redisClient(t, redis);
  const server = http.createServer();
  const io = new Server(server, { adapter: createAdapter(pub, sub, options) });
  atEnd(t, () => within(new Promise((resolve) => { io.close(resolve); }), 'end of the Node server'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  const peer = { io, port, path: '/socket.io/', url: `http://127.0.0.1:${port}`, pub, sub };
  /* Commands are answered in order: what was subscribed before the ping is. */
  peer.of = async (nsp) => {
    const space = io.of(nsp);
    await within(sub.ping(), 'subscriptions of the Node server');
    return space;
  };
  await peer.of('/');
  return peer;
}

/* The official @socket.io/redis-emitter. */
const emitter = async (t, redis, options = {}) => new Emitter(await redisClient(t, redis), options);

/* deploy/examples/emit.py, the emitter in Python; args: ['--to', 'room', 'event', '"json"', …]. */
async function pythonEmit(redis, ...args) {
  const out = await run(PYTHON, [path.join(ROOT, 'deploy/examples/emit.py'), '--redis', redis.url, ...args]);
  assert.equal(out.code, 0, out.stderr);
  return out.stdout;
}

module.exports = {
  admin, cluster, clusterGateway, emitter, isSanitized, lastingPort, metrics, nodePeer, OPEN, pythonEmit, readiness,
  ready, redisClient, rss, startProxy, startRedis, startSentinels, tap, unready,
};
