/* Several processes on one port: stock clients whose every request is a connection of its own, a balancer that
 * pools connections, processes that die, and what the whole says of itself.
 *
 * The kernel spreads connections by a hash of addresses, so which client comes to which process is not known. */
'use strict';
const { test } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const {
  accepted, admin, client, connected, exchange, gateway, heard, inbox, poller, Program, rawSio, rawWs, refused, request, run, SECRET, tempDir,
  token, until, within, atEnd, metrics,
} = require('./harness');
const { clusterGateway, lastingPort, OPEN, readiness, ready, startRedis, unready } = require('./cluster_harness');

const RECONNECTING = { reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 100 };
const BOTH = ['polling', 'websocket'];
const HAPROXY = ['/usr/sbin/haproxy', '/usr/local/sbin/haproxy'].find((p) => fs.existsSync(p)) || 'haproxy';

const nodeOf = (socket) => socket.id.slice(0, 8);
const isAlive = (pid) => fs.existsSync(`/proc/${pid}`);
const children = (gw) => fs.readFileSync(`/proc/${gw.child.pid}/task/${gw.child.pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);

async function processes(t, { n = 4, settings = {}, ...options } = {}) {
  const redis = await startRedis(t);
  const gw = await clusterGateway(t, redis, { 'gateway.processes': n, ...settings }, options);
  gw.redis = redis;
  gw.adminPort = gw.admin.port;
  await ready(gw);
  return gw;
}

/* The processes as they said it: node → {place, pid}; of a place the last. */
const homes = (gw) => new Map(gw.lines.map((l) => / process=(\d+) msg="process serves" pid=(\d+).* node=(\S+)/.exec(l))
  .filter(Boolean).map(([, place, pid, node]) => [node, { place: Number(place), pid: Number(pid) }]));

async function clients(t, gw, n, options) {
  const all = Array.from({ length: n }, () => client(t, gw, options));
  for (const s of all) {
    s.messages = inbox(s, 'message');
    s.lost = inbox(s, 'disconnect');
  }
  await Promise.all(all.map(accepted));
  return all;
}

/* Each says something; all hear all of it, in one order. */
async function allHearAll(sockets, round) {
  for (const [i, s] of sockets.entries()) s.emit('message', `${round} ${i}`);
  const first = (await sockets[0].messages.take(sockets.length)).map(([m]) => m);
  assert.deepEqual(first.slice().sort(), sockets.map((_, i) => `${round} ${i}`).sort());
  for (const s of sockets.slice(1)) assert.deepEqual((await s.messages.take(sockets.length)).map(([m]) => m), first);
}

const upgraded = (s) => until(() => s.io.engine.transport.name === 'websocket', 'the client is on a WebSocket', 10000);

/* What a process that was not asked says of itself may be a second old. */
const metricsOnce = (gw, check) => until(async () => {
  const m = await metrics(gw);
  return check(m) && m;
}, 'metrics');

async function isOnAll(sockets, gw) {
  const nodes = new Set(sockets.map(nodeOf));
  assert.ok(nodes.size > 1, 'clients are spread');
  for (const n of nodes) assert.ok(homes(gw).has(n), `${n} is a process`);
}

test('40 stock clients with their default transports: polling, then the upgrade', async (t) => {
  const gw = await processes(t);
  const all = await clients(t, gw, 40, { transports: BOTH });
  await Promise.all(all.map(upgraded));
  await isOnAll(all, gw);
  await allHearAll(all, 'said');
  const m = await metricsOnce(gw, (now) => now.peal_upgrades_total === 40 && now.peal_handovers_in_total === now.peal_handovers_out_total);
  assert.equal(m['peal_refusals_total{layer="engine.io",code="1"}'], 0, 'no session was unknown anywhere');
  assert.ok(m.peal_handovers_out_total > 20, `${m.peal_handovers_out_total} connections were handed over`);
  assert.equal(m.peal_handovers_refused_total, 0);
  for (const s of all) assert.equal(s.lost.items.length, 0);
});

test('40 stock clients on long-polling alone', async (t) => {
  const gw = await processes(t, { settings: { 'engine.ping_interval': 300 } });
  const all = await clients(t, gw, 40, { transports: ['polling'] });
  await isOnAll(all, gw);
  for (const round of ['one', 'two', 'three']) await allHearAll(all, round);
  for (const s of all) assert.equal(s.lost.items.length, 0);
});

test('clients of Engine.IO 3 find their process, too', async (t) => {
  const gw = await processes(t, { n: 3, settings: { 'gateway.allow_eio3': true } });
  const all = await clients(t, gw, 12, { client: '2.5', transports: BOTH });
  await Promise.all(all.map(upgraded));
  await allHearAll(all, 'said');
});

test('a balancer that pools its connections: requests of all clients on each of them', async (t) => {
  const gw = await processes(t);
  const port = await lastingPort();
  const file = path.join(tempDir(t), 'haproxy.cfg');
  fs.writeFileSync(file, `global
    log stdout format raw local0 info
    fd-hard-limit 10000
    tune.pool-high-fd-ratio 90
defaults
    mode http
    log global
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout tunnel 60s
frontend public
    bind 127.0.0.1:${port}
    default_backend gateways
backend gateways
    http-reuse always
    server gw 127.0.0.1:${gw.port} pool-max-conn -1
`);
  const haproxy = new Program(HAPROXY, ['-db', '-f', file], {}, 'stdout');
  atEnd(t, async () => {
    haproxy.child.kill('SIGTERM');
    await within(haproxy.exited, 'end of HAProxy');
  });
  const front = { port, path: '/socket.io/', url: `http://127.0.0.1:${port}` };
  await until(async () => (await request(front)).status === 400, 'HAProxy serves', 10000);
  const polling = await clients(t, front, 20, { transports: ['polling'] });
  const both = await clients(t, front, 20, { transports: BOTH });
  const all = [...polling, ...both];
  await Promise.all(both.map(upgraded));
  await isOnAll(all, gw);
  for (const round of ['one', 'two', 'three', 'four', 'five']) await allHearAll(all, round);
  const m = await metricsOnce(gw, (now) => now.peal_handovers_in_total === now.peal_handovers_out_total);
  assert.ok(m.peal_http_requests_total > 2 * m.peal_accepts_total, 'connections were used again');
  assert.ok(m.peal_handovers_out_total > m.peal_accepts_total, 'and handed over more than once');
  assert.equal(m['peal_refusals_total{layer="engine.io",code="1"}'], 0);
  for (const s of all) assert.equal(s.lost.items.length, 0);
});

test('pipelined requests for sessions of several processes are answered in order', async (t) => {
  const gw = await processes(t);
  const sessions = [];
  await until(async () => {
    sessions.push(await poller(gw));
    return new Set(sessions.map((p) => p.sid.slice(0, 8))).size > 2;
  }, 'sessions in three processes', 20000);
  const bytes = sessions.map((p, i) => {
    const body = `40/not-there-${i},`;
    return `POST /socket.io/?EIO=4&transport=polling&sid=${p.sid} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}` +
      `GET /socket.io/?EIO=4&transport=polling&sid=${p.sid} HTTP/1.1\r\nHost: x\r\n\r\n`;
  }).join('');
  const want = sessions.map((_, i) => `44/not-there-${i},`);
  const text = await exchange(gw, bytes, { enough: (so) => want.every((w) => so.includes(w)) });
  const places = want.map((w) => text.indexOf(w));
  assert.deepEqual(places, places.slice().sort((a, b) => a - b));
  assert.equal(text.match(/HTTP\/1\.1 200 OK/g).length, 2 * sessions.length);
});

test('a process is killed: its clients come back, the others notice nothing, another is there', async (t) => {
  const gw = await processes(t, { settings: { 'gateway.shutdown_timeout': 500 } });
  const all = await clients(t, gw, 40, { ...RECONNECTING, transports: BOTH });
  await Promise.all(all.map(upgraded));
  await allHearAll(all, 'before');
  const before = await metrics(gw);
  const victim = nodeOf(all[0]);
  const { pid, place } = homes(gw).get(victim);
  const [moving, staying] = [all.filter((s) => nodeOf(s) === victim), all.filter((s) => nodeOf(s) !== victim)];
  const back = moving.map((s) => heard(s, 'connect', 20000));
  process.kill(pid, 'SIGKILL');
  assert.match(await gw.line(/msg="process ended"/), new RegExp(`level=error process=parent .* place=${place} pid=${pid} signal=9 again_in_ms=0`));
  await Promise.all(back);
  await until(() => homes(gw).size === 5 && children(gw).length === 4, 'another process is there');
  for (const s of moving) assert.notEqual(nodeOf(s), victim);
  await allHearAll(all, 'after');
  for (const s of staying) assert.equal(s.lost.items.length, 0);
  const after = await metricsOnce(gw, (now) => now['peal_connections{state="open"}'] === 40);
  assert.equal(after.peal_process_restarts_total, 1);
  for (const [name, value] of Object.entries(before))
    if (/_total($|\{)|_count$|_sum$|_bucket\{/.test(name)) assert.ok(after[name] >= value, `${name} went back: ${value} to ${after[name]}`);
  assert.deepEqual(await readiness(gw).then((r) => JSON.parse(r.body)), { ready: true, reasons: [] });
});

test('a session of a process that is gone is unknown at once, wherever it is asked for', async (t) => {
  const gw = await processes(t, { n: 2 });
  const lost = await poller(gw);
  process.kill(homes(gw).get(lost.sid.slice(0, 8)).pid, 'SIGKILL');
  await until(() => homes(gw).size === 3, 'another process is there');
  for (let i = 0; i < 8; i++) {
    const r = await lost.get();
    assert.deepEqual([r.status, r.body], [400, '{"code":1,"message":"Session ID unknown"}']);
  }
});

test('SIGTERM drains all processes: clients are told, and nothing is left', async (t) => {
  const gw = await processes(t, { settings: { 'gateway.drain_wait': 300, 'gateway.drain_time': 300, 'gateway.shutdown_timeout': 5000 } });
  const pids = children(gw);
  const all = await clients(t, gw, 20, { transports: BOTH });
  const polling = await clients(t, gw, 10, { transports: ['polling'] });
  await Promise.all(all.map(upgraded));
  gw.child.kill('SIGTERM');
  await unready(gw);
  assert.match((await readiness(gw)).body, /"draining"/);
  const reasons = await Promise.all([...all, ...polling].map((s) => s.lost.next(10000)));
  assert.deepEqual(new Set(reasons.map(([r]) => r)), new Set(['transport close']));
  await gw.finished();
  assert.equal(gw.count(/msg="drain ends" .* left=0/), 4);
  assert.deepEqual(pids.filter(isAlive), []);
  assert.match(gw.lines.at(-1), /process=parent msg=stopped/);
});

test('a signal to all processes at once is one signal; a second one ends at once', async (t) => {
  const gw = await processes(t, { n: 2, settings: { 'gateway.drain_wait': 600000 } });
  const s = await connected(t, gw);
  /* As systemd does: to the parent and to its processes. */
  for (const pid of [...children(gw), gw.child.pid]) process.kill(pid, 'SIGTERM');
  await until(() => gw.count(/msg="drain begins"/) === 2 && gw.count(/process=parent msg="signal 15: stopping"/) === 1, 'all drain');
  assert.ok((await connected(t, gw)).connected, 'it still serves');
  assert.ok(s.connected);
  gw.child.kill('SIGTERM');
  await gw.finished();
  assert.match(gw.log, /process=parent msg="signal 15: ending at once"/);
});

test('SIGTERM to one process: it drains and is replaced, the others go on', async (t) => {
  const gw = await processes(t, { n: 2 });
  const all = await clients(t, gw, 12, RECONNECTING);
  const leaving = nodeOf(all[0]);
  const [moving, staying] = [all.filter((s) => nodeOf(s) === leaving), all.filter((s) => nodeOf(s) !== leaving)];
  const back = moving.map((s) => heard(s, 'connect', 20000));
  process.kill(homes(gw).get(leaving).pid, 'SIGTERM');
  await Promise.all(back);
  await until(() => homes(gw).size === 3 && children(gw).length === 2, 'another process is there');
  await allHearAll(all, 'after');
  for (const s of staying) assert.equal(s.lost.items.length, 0);
  assert.match(gw.log, /level=info process=parent msg="process ended" .* status=0 again_in_ms=0/);
});

test('SIGHUP: all processes take the configuration over, or none; so does one that is started later', async (t) => {
  const file = path.join(tempDir(t), 'peal.json');
  const write = (secret, more = {}) => fs.writeFileSync(file, JSON.stringify({ auth: { secret, ...more } }));
  const NEW = 'another-secret-0123456789abcdef';
  write(SECRET);
  const gw = await processes(t, { n: 3, settings: { 'auth.mode': 'connect' }, command: ['-c', file] });
  const letsIn = async (secret) => {
    const auth = { token: await token({}, { key: secret }) };
    for (let i = 0; i < 8; i++) await connected(t, gw, { auth });
  };
  await letsIn(SECRET);
  write('short');
  gw.child.kill('SIGHUP');
  await gw.line(/level=error process=parent msg="configuration not reloaded: auth\.secret/);
  await letsIn(SECRET);
  write(NEW);
  gw.child.kill('SIGHUP');
  await until(() => gw.count(/msg="configuration reloaded" changed=auth\.secret/) === 4, 'parent and processes have reloaded');
  await letsIn(NEW);
  assert.match((await refused(client(t, gw, { auth: { token: await token() } }))).message, /Authentication error/);
  process.kill(children(gw)[0], 'SIGKILL');
  await until(() => homes(gw).size === 4, 'another process is there');
  await letsIn(NEW);
  assert.equal((await metrics(gw)).peal_reloads_refused_total, 1);
});

test('metrics are the sum; each process is there, too, by itself and in peal status', async (t) => {
  const gw = await processes(t);
  const all = await clients(t, gw, 40);
  await Promise.all(all.slice(0, 30).map((s) => new Promise((resolve) => s.emit('message', 'x', resolve))));
  const m = await metricsOnce(gw, (now) => now['peal_connections{state="open"}'] === 40 && now.peal_deliveries_total === 1200);
  assert.equal(m['peal_sockets{namespace="/"}'], 40);
  assert.equal(m.peal_publishes_total, 30);
  assert.equal(m.peal_sessions_total, 40);
  assert.equal(m.peal_processes, 4);
  assert.equal(m.peal_ready, 1);
  assert.equal(m.peal_connections_max, 10000);
  const sumOf = (name) => Object.entries(m).filter(([k]) => k.startsWith(`${name}{`)).reduce((n, [, v]) => n + v, 0);
  assert.equal(sumOf('peal_process_connections'), 40);
  assert.equal(sumOf('peal_build_info'), 4);
  let alone = 0;
  for (let i = 1; i <= 4; i++) alone += Number(/^peal_connections\{state="open"\} (\d+)$/m.exec((await admin(gw, `/metrics?process=${i}`)).body)[1]);
  assert.equal(alone, 40);
  for (const i of ['0', '5', '', 'x', '1&']) assert.equal((await admin(gw, `/metrics?process=${i}`)).status, 404, i);
  /* In the cluster each is a gateway. */
  await until(async () => {
    const status = await run('peal', ['status', '--set', `redis.url=${gw.redis.url}`]);
    return [...homes(gw)].every(([node, { pid }]) => status.stdout.includes(node) && status.stdout.includes(String(pid)));
  }, 'peal status shows all');
});

test('not ready while none of them hears Redis', async (t) => {
  const gw = await processes(t, { n: 2 });
  await gw.redis.kill();
  await unready(gw);
  assert.match((await readiness(gw)).body, /^\{"ready":false,"reasons":\["bus: [^"]+"/);
  await gw.redis.start();
  await ready(gw, 20000);
});

test('the parent is killed: no process outlives it, and the port is free', async (t) => {
  const gw = await processes(t, { settings: { 'gateway.drain_time': 600000 } });
  const pids = children(gw);
  assert.equal(pids.length, 4);
  await clients(t, gw, 8);
  await gw.kill();
  await until(() => !pids.some(isAlive), 'no process is left');
  await clusterGateway(t, gw.redis, { 'gateway.processes': 2, 'gateway.port': gw.port });
});

test('gateway.max_connections counts over all processes', async (t) => {
  const gw = await processes(t, { n: 2, settings: { 'gateway.max_connections': 24 } });
  const open = [];
  for (let i = 0; i < 24; i++) open.push(await rawWs(t, gw));
  await until(async () => (await request(gw, { query: 'EIO=4&transport=polling' })).status === 503, 'it is full');
  assert.match((await readiness(gw)).body, /full: gateway\.max_connections/);
  for (const ws of open.slice(0, 8)) ws.ws.terminate();
  await until(async () => (await request(gw, { query: 'EIO=4&transport=polling' })).status === 200, 'there is room again');
});

test('what cannot start says why, once, and exits with 1', async (t) => {
  const redis = await startRedis(t);
  const gw = await clusterGateway(t, redis, { 'gateway.processes': 2 });
  const start = (settings) => run('gateway', Object.entries({
    'gateway.host': '127.0.0.1', 'gateway.port': 0, 'gateway.processes': 4, 'auth.secret': SECRET, 'redis.url': redis.url, ...settings,
  }).flatMap(([k, v]) => ['--set', `${k}=${v}`]));
  for (const [settings, says] of [
    [{ 'redis.url': '' }, /^peal-gateway: gateway\.processes: 4 is not allowed: several processes need redis\.url/],
    [{ 'auth.secret': '' }, /peal-gateway: auth\.secret: missing/],
    [{ 'gateway.port': gw.port }, /^peal-gateway: gateway\.port: \d+ is in use by another program/],
    [{ 'admin.port': gw.admin.port, 'admin.host': '127.0.0.1' }, /^peal-gateway: admin\.port: \d+ is in use by another program/],
    [{ 'gateway.processes': 65 }, /gateway\.processes: "65" is not allowed: a whole number from 0 to 64/],
  ]) {
    const r = await start(settings);
    assert.equal(r.code, 1, r.stderr);
    assert.match(r.stderr, says);
    assert.equal(r.stderr.match(/^peal-gateway: /gm).length, 1, r.stderr);
  }
});

test('--processes on the command line, also of peal serve', async (t) => {
  const redis = await startRedis(t);
  const one = await gateway(t, { ...OPEN, 'redis.url': redis.url }, { name: 'peal', command: ['serve', '--processes', '2'] });
  assert.match(one.log, /process=parent msg=listening .* processes=2/);
  assert.equal(children(one).length, 2);
  const out = await run('gateway', ['--processes', 'auto', '--print-config', '--set', `redis.url=${redis.url}`]);
  assert.equal(JSON.parse(out.stdout).gateway.processes, 0);
});
