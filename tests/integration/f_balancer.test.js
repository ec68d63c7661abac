/* Clients that speak WebSocket only, through the shipped configurations of HAProxy and nginx: round robin,
 * no stickiness, three gateways on one Redis.
 *
 * HAProxy runs deploy/haproxy/haproxy.cfg as it is; its environment names ports, and a small DNS server here
 * tells it the gateways, one loopback address each. nginx has no such way in: ports, addresses and /tmp/ of
 * deploy/nginx/nginx.conf are replaced, the rest is the file. */
'use strict';
const { test } = require('node:test');
const assert = require('node:assert');
const dgram = require('node:dgram');
const { once } = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { accepted, atEnd, client, heard, inbox, Program, request, ROOT, SECRET, tempDir, until, within } = require('./harness');
const { clusterGateway, lastingPort, ready, startRedis } = require('./cluster_harness');

const find = (name) => ['/usr/sbin', '/usr/bin', '/usr/local/sbin', '/usr/local/bin']
  .map((d) => path.join(d, name)).find((p) => fs.existsSync(p)) || name;
const RECONNECTING = { reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 200 };

/* ---- a DNS server: names → addresses, changed at any time */

async function startDns(t, names) {
  const socket = dgram.createSocket('udp4');
  socket.on('message', (query, from) => {
    const labels = [];
    let at = 12;
    for (; query[at]; at += query[at] + 1) labels.push(query.toString('latin1', at + 1, at + 1 + query[at]));
    const type = query.readUInt16BE(at + 1);
    const known = names[labels.join('.')];
    const addresses = type === 1 && known ? known : []; // 1: A; these names have nothing else
    const head = Buffer.from(query.subarray(0, 12));
    head.writeUInt16BE(known ? 0x8180 : 0x8183, 2);
    head.writeUInt16BE(addresses.length, 6);
    head.writeUInt32BE(0, 8);
    /* The name as a pointer to the question, A, IN, one second, four bytes. */
    const answers = addresses.map((a) => Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, ...a.split('.').map(Number)]));
    socket.send(Buffer.concat([head, query.subarray(12, at + 5), ...answers]), from.port, from.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  atEnd(t, () => socket.close());
  return socket.address().port;
}

/* ---- the balancers: good for client() and request() */

async function startBalancer(t, name, args, env, port, stream) {
  const balancer = new Program(find(name), args, env, stream);
  atEnd(t, async () => {
    balancer.child.kill('SIGTERM');
    const end = await within(balancer.exited, `end of ${name}`);
    assert.ok(end.code === 0 || end.signal === 'SIGTERM', `${name}: status ${end.code}, signal ${end.signal}\n${balancer.log}`);
  });
  balancer.port = port;
  balancer.path = '/socket.io/';
  balancer.url = `http://127.0.0.1:${port}`;
  return balancer;
}

const BALANCERS = {
  async haproxy(t, where) {
    const names = { gateway: where.addresses.slice(), login: ['127.0.0.1'] };
    const [dns, port, monitor] = [await startDns(t, names), await lastingPort(), await lastingPort()];
    const balancer = await startBalancer(t, 'haproxy', ['-db', '-f', path.join(ROOT, 'deploy/haproxy/haproxy.cfg')], {
      PEAL_LISTEN: `127.0.0.1:${port}`, PEAL_MONITOR: `127.0.0.1:${monitor}`, PEAL_DNS: `127.0.0.1:${dns}`,
      PEAL_GATEWAYS: `gateway:${where.port}`, PEAL_ADMIN: String(where.admin), PEAL_LOGIN: `login:${where.login}`,
    }, port, 'stdout');
    balancer.names = names;
    balancer.monitor = monitor;
    balancer.knows = (n) => until(() => new Set([...balancer.log.matchAll(/gateways\/(gw\d+):? (?:changed its IP|IP changed)/g)]
      .map((m) => m[1])).size >= n, `HAProxy knows ${n} gateways`, 10000);
    await balancer.knows(where.addresses.length);
    return balancer;
  },
  async nginx(t, where) {
    const port = await lastingPort();
    const dir = tempDir(t);
    let text = fs.readFileSync(path.join(ROOT, 'deploy/nginx/nginx.conf'), 'utf8');
    const replace = (from, to) => {
      assert.ok(text.includes(from), `nginx.conf has ${from}`);
      text = text.replaceAll(from, to);
    };
    where.addresses.forEach((a, i) => replace(`server gateway${i + 1}:3000`, `server ${a}:${where.port}`));
    replace('server login:8000', `server 127.0.0.1:${where.login}`);
    replace('listen 3000', `listen 127.0.0.1:${port}`);
    replace('/tmp/', `${dir}/`);
    fs.writeFileSync(path.join(dir, 'nginx.conf'), text);
    return startBalancer(t, 'nginx', ['-p', dir, '-c', path.join(dir, 'nginx.conf'), '-g', 'daemon off;'], {}, port, 'stderr');
  },
};

/* ---- the cluster behind one */

const nodeOf = (socket) => socket.id.slice(0, 8);

class Cluster {
  constructor(t) {
    this.t = t;
    this.gateways = new Map(); // node → gateway
  }
  /* first: further settings of the first gateway. */
  async start(kind, { n = 3, first = {} } = {}) {
    const { t } = this;
    this.redis = await startRedis(t);
    const [port, admin, login] = [await lastingPort(), await lastingPort(), await lastingPort()];
    this.where = { port, admin, login, addresses: Array.from({ length: n }, (_, i) => `127.0.0.${i + 2}`) };
    const service = new Program('/usr/bin/python3', [path.join(ROOT, 'deploy/login/login.py')],
      { PEAL_AUTH_SECRET: SECRET, PEAL_DEMO_LOGIN_PORT: String(login) });
    atEnd(t, () => service.stop());
    await service.line(/listening/);
    const gws = await Promise.all(this.where.addresses.map((a, i) => this.add(a, i === 0 ? first : {})));
    [this.first] = gws;
    this.balancer = await BALANCERS[kind](t, this.where);
    await until(async () => (await this.get('/login')).status === 404, 'the balancer reaches the login service', 10000);
    await until(async () => (await this.get('/socket.io/')).status === 400, 'the balancer reaches a gateway', 10000);
    return this;
  }
  async add(address, settings = {}) {
    const gw = await clusterGateway(this.t, this.redis, {
      'gateway.host': address, 'gateway.port': this.where.port, 'admin.host': address, 'admin.port': this.where.admin,
      'auth.mode': 'connect', 'auth.secret': SECRET, ...settings,
    });
    gw.node = / node=(\S+)/.exec(await gw.line(/msg=listening/))[1];
    gw.address = address;
    await until(async () => (await request({ port: this.where.admin }, { host: address, path: '/readyz' })).status === 200,
      'the gateway is ready', 10000);
    this.gateways.set(gw.node, gw);
    return gw;
  }
  get(target, options) {
    return request(this.balancer, { path: target, ...options });
  }
  /* A client as the demo's page is one: the token from /login, then a WebSocket, both through the balancer. */
  async client(name, options = {}) {
    const answer = await this.get('/login', { method: 'POST', body: JSON.stringify({ username: name }), headers: { 'Content-Type': 'application/json' } });
    assert.equal(answer.status, 200, answer.body);
    const socket = client(this.t, this.balancer, { query: { token: JSON.parse(answer.body).token }, ...options });
    socket.messages = inbox(socket, 'message');
    socket.lost = inbox(socket, 'disconnect');
    socket.failed = inbox(socket, 'connect_error');
    await accepted(socket);
    return socket;
  }
  /* One after the other, so that round robin shows. */
  async clients(n, options) {
    const all = [];
    for (let i = 0; i < n; i++) all.push(await this.client(`user${i}`, options));
    return all;
  }
}

/* Each says something; all hear all of it, in one order. */
async function allHearAll(sockets, round) {
  for (const [i, s] of sockets.entries()) s.emit('message', `${round} ${i}`);
  const first = (await sockets[0].messages.take(sockets.length)).map(([m]) => m);
  assert.deepEqual(first.slice().sort(), sockets.map((_, i) => `${round} ${i}`).sort());
  for (const s of sockets.slice(1)) assert.deepEqual((await s.messages.take(sockets.length)).map(([m]) => m), first);
}

for (const kind of Object.keys(BALANCERS)) {
  test(`${kind}: clients land on all gateways and hear each other`, async (t) => {
    const cluster = await new Cluster(t).start(kind);
    const sockets = await cluster.clients(6);
    const nodes = sockets.map(nodeOf);
    assert.deepEqual(new Set(nodes), new Set(cluster.gateways.keys()), 'round robin leaves nobody out');
    await allHearAll(sockets, 'said');

    /* Nothing sticks: the same client with the same token comes to a gateway after the other. */
    const homes = new Set([nodes[0]]);
    for (let i = 0; i < 3; i++) {
      sockets[0].disconnect().connect();
      await accepted(sockets[0]);
      homes.add(nodeOf(sockets[0]));
    }
    assert.ok(homes.size > 1, 'the client was elsewhere, too');
    await allHearAll(sockets, 'after moving');
  });

  test(`${kind}: a gateway is killed; its clients come back elsewhere, the others notice nothing`, async (t) => {
    const cluster = await new Cluster(t).start(kind);
    const sockets = await cluster.clients(6, RECONNECTING);
    const victim = nodeOf(sockets[0]);
    const [moving, staying] = [sockets.filter((s) => nodeOf(s) === victim), sockets.filter((s) => nodeOf(s) !== victim)];
    const back = moving.map((s) => heard(s, 'connect', 20000));
    await cluster.gateways.get(victim).kill();
    await Promise.all(back);
    for (const s of moving) assert.notEqual(nodeOf(s), victim);
    await allHearAll(sockets, 'after the kill');
    for (const s of staying) assert.equal(s.lost.items.length, 0);
  });

  test(`${kind}: a gateway drains; no client meets a closed door`, async (t) => {
    const cluster = await new Cluster(t).start(kind, {
      first: { 'gateway.drain_wait': 4000, 'gateway.drain_time': 500, 'gateway.shutdown_timeout': 2000 },
    });
    const sockets = await cluster.clients(6, RECONNECTING);
    const leaving = cluster.first;
    const moving = sockets.filter((s) => nodeOf(s) === leaving.node);
    assert.ok(moving.length, 'it has clients');
    const back = moving.map((s) => heard(s, 'connect', 20000));
    leaving.child.kill('SIGTERM');
    if (kind === 'haproxy') {
      /* It asks /readyz, so it knows before the gateway closes anything. */
      await cluster.balancer.line(/Server gateways\/gw\d+ is DOWN/, 10000);
      for (const s of await cluster.clients(3)) {
        assert.notEqual(nodeOf(s), leaving.node);
        s.disconnect();
      }
      for (const s of moving) assert.equal(s.lost.items.length, 0, 'clients stay until they are told to go');
    }
    await Promise.all(back);
    await leaving.finished();
    await allHearAll(sockets, 'after the drain');
    for (const s of sockets) assert.equal(s.failed.items.length, 0, 'a client was refused');
  });

  test(`${kind}: a gateway hears the client's address, not what the client claims`, async (t) => {
    const where = { port: await lastingPort(), login: 9, addresses: ['127.0.0.2', '127.0.0.3', '127.0.0.4'] };
    where.admin = where.port;
    for (const a of where.addresses) {
      const server = http.createServer((req, res) => res.end(JSON.stringify(req.headers))).listen(where.port, a);
      await once(server, 'listening');
      atEnd(t, () => {
        server.close();
        server.closeAllConnections();
      });
    }
    const balancer = await BALANCERS[kind](t, where);
    await until(async () => (await request(balancer, { path: '/' })).status === 200, 'the balancer serves', 10000);
    const answer = await request(balancer, { path: '/', headers: { 'X-Forwarded-For': '192.0.2.7', Host: 'peal.example' } });
    const got = JSON.parse(answer.body);
    assert.equal(got['x-forwarded-for'], '127.0.0.1');
    assert.equal(got.host, 'peal.example', 'cors.origins and same-origin checks need it');
  });
}

test('haproxy: gateways that the DNS names later get clients, and those it no longer names get none', async (t) => {
  const cluster = await new Cluster(t).start('haproxy', { n: 2 });
  const { names, monitor } = cluster.balancer;
  const added = [await cluster.add('127.0.0.7'), await cluster.add('127.0.0.8')];
  names.gateway.push(...added.map((gw) => gw.address));
  await cluster.balancer.knows(4);
  const sockets = await cluster.clients(8);
  assert.deepEqual(new Set(sockets.map(nodeOf)), new Set(cluster.gateways.keys()));
  await allHearAll(sockets, 'four gateways');
  assert.equal((await request({ port: monitor }, { path: '/healthz' })).status, 200);

  names.gateway = [added[0].address];
  await within(until(async () => {
    const s = await cluster.clients(4);
    const nodes = new Set(s.map(nodeOf));
    s.forEach((one) => one.disconnect());
    return nodes.size === 1 && nodes.has(added[0].node);
  }, 'only the named gateway gets clients', 20000), 'scaling down', 25000);
  assert.ok(sockets.every((s) => s.connected), 'who is there stays');

  await added[0].stop();
  await until(async () => (await request({ port: monitor }, { path: '/healthz' })).status === 503,
    'HAProxy says that it has no gateway', 10000);
});
