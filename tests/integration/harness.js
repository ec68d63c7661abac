/* What the integration tests stand on: programs under test, clients, raw sockets, waiting.
 *
 *   PEAL_BUILD   the build folder with the programs (build/asan, else build, if not set)
 *   PEAL_TEST_LOG=1   every program's log goes to stderr as well
 *
 * Everything is taken down by the test that asked for it: a program gets SIGTERM and must exit
 * with status 0, with nothing from a sanitizer and no panic in its log. Nothing here sleeps: what is
 * waited for is an event with a limit, and "nothing arrives" is shown by a later message that does
 * arrive. */
'use strict';
const assert = require('node:assert');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const WebSocket = require('ws');

const ROOT = path.join(__dirname, '../..');
const BUILD = process.env.PEAL_BUILD ||
  [path.join(ROOT, 'build/asan'), path.join(ROOT, 'build')].find((d) => fs.existsSync(path.join(d, 'cli/peal')));
const PROGRAMS = {
  peal: 'cli/peal',
  gateway: 'gateway/peal-gateway',
  'eio-echo': 'tests/conformance/eio-echo',
  'sio-fixture': 'tests/conformance/sio-fixture',
  'cluster-fixture': 'tests/integration/cluster-fixture',
  'peal-worker': 'worker/peal-worker', 'worker-fixture': 'tests/integration/worker-fixture',
  'worker-module': 'tests/integration/worker-module.so',
};
const CLIENT_DIST = path.join(__dirname, 'node_modules/socket.io-client/dist');
const CLIENTS = { '4.x': require('socket.io-client').io, '3.x': require('socket.io-client-3').io };
const OLD_CLIENTS = { '2.5': require('socket.io-client-2'), '1.7': require('socket.io-client-1') }; // Engine.IO 3
const SECRET = 'integration-secret-0123456789abcdef';
const LIMIT = 5000;

/* name: one of PROGRAMS, or the path of another program. */
const program = (name) => (PROGRAMS[name] ? path.join(BUILD, PROGRAMS[name]) : name);

/* ---- taking down */

/* What a test has started ends in the reverse order: clients before their gateway. */
const endings = new WeakMap();
function atEnd(t, end) {
  if (!endings.has(t)) {
    const stack = [];
    endings.set(t, stack);
    t.after(async () => {
      const failures = [];
      while (stack.length) {
        try {
          await stack.pop()();
        } catch (error) {
          failures.push(error);
        }
      }
      if (failures.length) throw failures[0];
    });
  }
  endings.get(t).push(end);
}

/* ---- waiting */

/* The promise, or an error that says what did not happen in time. */
async function within(promise, what, ms = LIMIT) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/* Asks again and again until check() gives something true, and gives that. For what tells nobody that
 * it has changed; an error of check() counts as no. */
async function until(check, what, ms = LIMIT) {
  const end = Date.now() + ms;
  let trouble = '';
  for (;;) {
    try {
      const got = await check();
      if (got) return got;
      trouble = '';
    } catch (error) {
      trouble = `: ${error.message}`;
    }
    if (Date.now() > end) throw new Error(`${what}: not within ${ms} ms${trouble}`);
    await new Promise((resolve) => { setTimeout(resolve, 15); });
  }
}

/* The arguments of the next event of that name. */
const heard = (emitter, name, ms) =>
  within(new Promise((resolve) => emitter.once(name, (...args) => resolve(args))), `event ${name}`, ms);

/* A queue between one who puts and one who waits. */
class Inbox {
  constructor(what) {
    this.what = what;
    this.items = [];
    this.waiting = [];
  }
  put(item) {
    if (this.waiting.length) this.waiting.shift()(item);
    else this.items.push(item);
  }
  next(ms) {
    if (this.items.length) return Promise.resolve(this.items.shift());
    return within(new Promise((resolve) => this.waiting.push(resolve)), `next of ${this.what}`, ms);
  }
  async take(n) {
    const all = [];
    while (all.length < n) all.push(await this.next());
    return all;
  }
}

/* The arguments of each event of that name from now on. */
function inbox(emitter, name) {
  const box = new Inbox(name);
  emitter.on(name, (...args) => box.put(args));
  return box;
}

/* ---- programs */

const running = new Set();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

const BAD_SIGNS = /ERROR: AddressSanitizer|runtime error|LeakSanitizer|level=panic|Assertion/;

function environment(more = {}) {
  const env = { ...process.env, ...more };
  for (const name of Object.keys(env))
    if (name.startsWith('PEAL_') && !(name in more)) delete env[name];
  return env;
}

class Program {
  /* stream: where it logs. */
  constructor(name, args, env, stream = 'stderr') {
    this.log = '';
    this.lines = [];
    this.watchers = [];
    const stdio = ['ignore', ...['stdout', 'stderr'].map((s) => (s === stream ? 'pipe' : 'ignore'))];
    this.child = spawn(program(name), args, { env: environment(env), stdio });
    running.add(this.child);
    this.child[stream].setEncoding('utf8');
    this.child[stream].on('data', (text) => this.read(text));
    this.exited = once(this.child, 'close').then(([code, signal]) => {
      running.delete(this.child);
      return { code, signal };
    });
  }
  read(text) {
    if (process.env.PEAL_TEST_LOG) process.stderr.write(text);
    this.log += text;
    this.rest = (this.rest || '') + text;
    const lines = this.rest.split('\n');
    this.rest = lines.pop();
    this.lines.push(...lines);
    this.watchers = this.watchers.filter((look) => !look());
  }
  /* The first log line that matches, now or later. */
  line(pattern, ms) {
    const find = () => this.lines.find((l) => pattern.test(l));
    return within(new Promise((resolve) => {
      const look = () => {
        const found = find();
        if (found !== undefined) resolve(found);
        return found !== undefined;
      };
      if (!look()) this.watchers.push(look);
    }), `log line ${pattern}\n${this.log}`, ms);
  }
  count(pattern) {
    return this.lines.filter((l) => pattern.test(l)).length;
  }
  /* Ends it as no program may be ended; nothing is asked of it any more. */
  async kill() {
    this.stopped = true;
    this.child.kill('SIGKILL');
    await within(this.exited, 'end of a killed program');
  }
  async stop(signal = 'SIGTERM') {
    if (this.stopped) return;
    this.stopped = true;
    this.child.kill(signal);
    await this.finished();
  }
  /* Exits by itself or was told to: status 0 and a clean log. */
  async finished() {
    this.stopped = true;
    let end;
    try {
      end = await within(this.exited, 'exit of the program', 15000);
    } catch (error) {
      this.child.kill('SIGKILL');
      throw new Error(`${error.message}\n${this.log}`);
    }
    assert.ok(end.code === 0 && !BAD_SIGNS.test(this.log),
      `status ${end.code}, signal ${end.signal}, log:\n${this.log.slice(-8000)}`);
  }
}

const settingsArgs = (settings) =>
  Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`]);

/* Starts a gateway; it ends with the test t. settings: section.name → value. */
async function gateway(t, settings = {}, { name = 'gateway', env, command = [] } = {}) {
  const all = {
    'gateway.port': 0, 'gateway.host': '127.0.0.1', 'auth.secret': SECRET,
    'gateway.shutdown_timeout': 200, ...settings,
  };
  for (const key of Object.keys(all)) if (all[key] === null) delete all[key];
  const gw = new Program(name, [...command, ...settingsArgs(all)], env);
  atEnd(t, () => gw.stop());
  const line = await Promise.race([gw.line(/msg=listening/), gw.exited.then(() => '')]);
  assert.ok(line, `the gateway did not start:\n${gw.log}`);
  gw.port = Number(/ port=(\d+)/.exec(line)[1]);
  gw.path = all['gateway.path'] || '/socket.io/';
  gw.url = `http://127.0.0.1:${gw.port}`;
  if ('admin.port' in all) {
    const admin = await gw.line(/msg="admin listening"/);
    gw.admin = { port: Number(/ port=(\d+)/.exec(admin)[1]), path: '/' };
  }
  return gw;
}

/* A conformance fixture; it says nothing when it listens, so it is asked until it answers. */
async function fixture(t, name, ...options) {
  const port = await freePort();
  const gw = new Program(name, [...options, String(port)]);
  atEnd(t, () => gw.stop());
  gw.port = port;
  gw.path = name === 'eio-echo' ? '/engine.io/' : '/socket.io/';
  gw.url = `http://127.0.0.1:${port}`;
  const answers = async () => {
    for (;;) {
      const open = await new Promise((resolve) => {
        const s = net.connect(port, '127.0.0.1', () => resolve(s)).on('error', () => resolve(null));
      });
      if (open) return open.destroy();
      if (gw.child.exitCode !== null) throw new Error(`${name} did not start:\n${gw.log}`);
      await new Promise(setImmediate);
    }
  };
  await within(answers(), `${name} listens`);
  return gw;
}

async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/* Runs a program to its end. */
async function run(name, args, { env, input = '' } = {}) {
  const child = spawn(program(name), args, { env: environment(env), stdio: 'pipe' });
  running.add(child);
  const out = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr']) {
    child[stream].setEncoding('utf8');
    child[stream].on('data', (text) => { out[stream] += text; });
  }
  child.stdin.on('error', () => {}).end(input);
  [out.code] = await within(once(child, 'close'), `end of ${name} ${args[0]}`);
  running.delete(child);
  assert.doesNotMatch(out.stderr, BAD_SIGNS);
  return out;
}

function tempDir(t) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'peal-it-'));
  atEnd(t, () => fs.rmSync(dir, { recursive: true }));
  return dir;
}

/* ---- tokens, from Python as an application's login service makes them */

class TokenService {
  ask(question) {
    if (!this.child) this.start();
    const answer = new Promise((resolve) => this.answers.push(resolve));
    this.child.stdin.write(JSON.stringify(question) + '\n');
    return within(answer, 'answer of tokens.py').then((a) => {
      if (a.error) throw new Error(a.error);
      return a;
    });
  }
  start() {
    this.answers = [];
    this.child = spawn('/usr/bin/python3', [path.join(__dirname, 'tokens.py')], { stdio: ['pipe', 'pipe', 'inherit'] });
    running.add(this.child);
    let rest = '';
    this.child.stdout.setEncoding('utf8');
    this.child.stdout.on('data', (text) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop();
      for (const l of lines) this.answers.shift()(JSON.parse(l));
    });
    /* It must not keep the test run alive; it ends with our end of its stdin. */
    for (const handle of [this.child, this.child.stdin, this.child.stdout]) handle.unref();
  }
}
const service = new TokenService();
const now = () => Math.floor(Date.now() / 1000);

/* A token for the claims; iat and exp (in one hour) are there unless claims has them as null. */
async function token(claims = {}, { key = SECRET, alg = 'HS256', headers } = {}) {
  const all = { sub: 'ann', iat: now(), exp: now() + 3600, ...claims };
  for (const name of Object.keys(all)) if (all[name] === null) delete all[name];
  return (await service.ask({ op: 'encode', claims: all, key, alg, headers })).token;
}

/* {private, public} in PEM form; kind is rsa, p256, p384 or p521. */
const keyPair = (kind) => service.ask({ op: 'keys', kind });

/* ---- Socket.IO clients */

/* A stock client; it ends with the test. `client` is a key of CLIENTS or OLD_CLIENTS, the rest are its
 * options. */
function client(t, gw, { client: version = '4.x', nsp = '', transports = ['websocket'], ...options } = {}) {
  const socket = (CLIENTS[version] || OLD_CLIENTS[version])(gw.url + nsp, {
    path: gw.path, forceNew: true, reconnection: false, transports, timeout: LIMIT, ...options,
  });
  atEnd(t, () => socket.disconnect());
  return socket;
}

/* … and connected. */
async function connected(t, gw, options) {
  const socket = client(t, gw, options);
  await accepted(socket);
  return socket;
}

function accepted(socket) {
  return within(new Promise((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', (data) => reject(new Error(`error: ${JSON.stringify(data)}`))); // 1.x and 2.x
    socket.once('connect_error', (error) => reject(Object.assign(error, { message: `connect_error: ${error.message} ${JSON.stringify(error.data)}` })));
  }), 'connect');
}

/* The error that ends a connect that must fail. */
function refused(socket) {
  return within(new Promise((resolve, reject) => {
    socket.once('connect_error', resolve);
    socket.once('connect', () => reject(new Error('it was let in')));
  }), 'connect_error');
}

/* The values an acked event is answered with. */
const ask = (socket, ...args) =>
  within(new Promise((resolve) => socket.emit(...args, (...values) => resolve(values))), `ack of ${args[0]}`);

/* ---- raw WebSockets */

class RawWs {
  constructor(t, gw, query = 'EIO=4&transport=websocket', options = {}) {
    const url = `ws://${options.host || '127.0.0.1'}:${gw.port}${options.path || gw.path}?${query}`;
    this.ws = new WebSocket(url, { perMessageDeflate: false, ...options });
    this.frames = new Inbox(`frames of ${query.replace(/token=[^&]*/, 'token=…')}`);
    this.ws.on('message', (data, binary) => this.frames.put(binary ? data : data.toString()));
    this.ws.on('upgrade', (response) => { this.response = response; });
    this.closed = new Promise((resolve) => this.ws.on('close', (code, reason) => resolve({ code, reason: String(reason) })));
    this.opened = new Promise((resolve, reject) => {
      this.ws.on('open', resolve);
      this.ws.on('error', reject);
    });
    this.opened.catch(() => {});
    atEnd(t, () => this.ws.terminate());
  }
  open() {
    return within(this.opened, 'WebSocket open').then(() => this);
  }
  send(...frames) {
    for (const f of frames) this.ws.send(f);
  }
  next(ms) {
    return this.frames.next(ms);
  }
  /* The next frame that is no ping; pings are answered. */
  async message(ms) {
    for (;;) {
      const frame = await this.next(ms);
      if (frame !== '2') return frame;
      this.send('3');
    }
  }
  end(ms) {
    return within(this.closed, 'close of the WebSocket', ms);
  }
}

const rawWs = (t, gw, query, options) => new RawWs(t, gw, query, options).open();

/* Engine.IO and Socket.IO handshake done on a raw WebSocket; auth is the CONNECT payload. */
async function rawSio(t, gw, { auth, nsp = '/', query = '', ...options } = {}) {
  const ws = await rawWs(t, gw, `EIO=4&transport=websocket${query}`, options);
  ws.handshake = JSON.parse((await ws.next()).slice(1));
  ws.send(`40${nsp === '/' ? '' : `${nsp},`}${auth ? JSON.stringify(auth) : ''}`);
  const answer = await ws.message();
  assert.match(answer, /^40/, answer);
  ws.sid = JSON.parse(answer.slice(answer.indexOf('{'))).sid;
  return ws;
}

/* ---- raw HTTP */

/* One request on a connection of its own. */
function request(gw, { method = 'GET', path: target = gw.path, query, headers = {}, body, host = '127.0.0.1', agent = false } = {}) {
  return within(new Promise((resolve, reject) => {
    const r = http.request({
      host, port: gw.port, method, headers, agent, path: query === undefined ? target : `${target}?${query}`,
    }, (response) => {
      const chunks = [];
      response.on('data', (c) => chunks.push(c));
      response.on('error', reject);
      response.on('end', () => {
        const bytes = Buffer.concat(chunks);
        resolve({ status: response.statusCode, headers: response.headers, bytes, body: bytes.toString() });
      });
    });
    r.on('upgrade', (response, socket) => {
      socket.destroy();
      resolve({ status: response.statusCode, headers: response.headers, body: '' });
    });
    r.on('error', reject);
    r.end(body);
  }), `answer to ${method} ${target}`);
}

/* Bytes to the port; what comes back until the server closes, or until `enough` says so. */
function exchange(gw, bytes, { enough, host = '127.0.0.1', half = false } = {}) {
  return within(new Promise((resolve, reject) => {
    let text = '';
    const socket = net.connect({ port: gw.port, host, allowHalfOpen: half }, () => {
      socket.write(bytes);
      if (half) socket.end();
    });
    const done = () => {
      socket.destroy();
      resolve(text);
    };
    socket.setEncoding('latin1');
    socket.on('data', (d) => {
      text += d;
      if (enough && enough(text)) done();
    });
    socket.on('end', done);
    socket.on('error', (e) => (text ? done() : reject(e)));
  }), 'answer to raw bytes');
}

/* The answers in a stream of bytes, each with Content-Length. */
function answers(text) {
  const all = [];
  while (text) {
    const end = text.indexOf('\r\n\r\n');
    if (end < 0) break;
    const lines = text.slice(0, end).split('\r\n');
    const headers = {};
    for (const l of lines.slice(1)) headers[l.slice(0, l.indexOf(':')).toLowerCase()] = l.slice(l.indexOf(':') + 1).trim();
    const n = Number(headers['content-length'] || 0);
    all.push({ status: Number(lines[0].split(' ')[1]), headers, body: text.slice(end + 4, end + 4 + n) });
    text = text.slice(end + 4 + n);
  }
  return all;
}

/* An Engine.IO session on polling, request by request. */
class Poller {
  constructor(gw, query = '', headers = {}) {
    this.gw = gw;
    this.more = query;
    this.headers = headers;
  }
  get query() {
    return `EIO=4&transport=polling${this.more}${this.sid ? `&sid=${this.sid}` : ''}`;
  }
  async open() {
    const r = await this.get();
    assert.equal(r.status, 200, r.body);
    this.handshake = JSON.parse(r.body.split('\x1e')[0].slice(1));
    this.sid = this.handshake.sid;
    return this;
  }
  get(options) {
    return request(this.gw, { query: this.query, headers: this.headers, ...options });
  }
  post(body, options) {
    return request(this.gw, { method: 'POST', query: this.query, body, headers: { 'Content-Type': 'text/plain;charset=UTF-8', ...this.headers }, ...options });
  }
  /* Packets of polls until n are there; pings are answered and not counted. */
  async packets(n) {
    const all = [];
    while (all.length < n) {
      const r = await this.get();
      assert.equal(r.status, 200, r.body);
      for (const p of r.body.split('\x1e')) {
        if (p === '2') await this.post('3');
        else all.push(p);
      }
    }
    return all;
  }
  async connect(auth) {
    assert.equal((await this.post(`40${auth ? JSON.stringify(auth) : ''}`)).body, 'ok');
    const [answer] = await this.packets(1);
    assert.match(answer, /^40\{"sid":"[\w-]{20}"\}$/);
    return this;
  }
}

/* ---- the admin port */

const admin = (gw, target, options) => request(gw.admin, { path: target, ...options });

/* The samples of /metrics, as Prometheus's own parser reads them: 'name{label="value"}' → number. */
async function metrics(gw) {
  const answer = await admin(gw, '/metrics');
  assert.equal(answer.status, 200);
  const child = spawn('/usr/bin/python3', [path.join(__dirname, 'metrics.py')], { stdio: ['pipe', 'pipe', 'inherit'] });
  running.add(child);
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (d) => { text += d; });
  child.stdin.end(answer.body);
  const [code] = await within(once(child, 'close'), 'end of metrics.py');
  running.delete(child);
  assert.equal(code, 0, answer.body);
  return JSON.parse(text);
}

/* Asks until the metrics hold what is expected; gives them all. */
async function metricsBecome(gw, expected) {
  let got;
  const all = await until(async () => {
    const now = await metrics(gw);
    got = Object.fromEntries(Object.keys(expected).map((name) => [name, now[name]]));
    return Object.keys(expected).every((name) => got[name] === expected[name]) && now;
  }, 'metrics').catch(() => null);
  assert.deepEqual(got, expected);
  return all;
}

const poller = (gw, query, headers) => new Poller(gw, query, headers).open();

module.exports = {
  CLIENT_DIST, CLIENTS, Inbox, OLD_CLIENTS, Poller, Program, RawWs, ROOT, SECRET, accepted, admin, answers, ask, atEnd, client,
  connected, environment, exchange, fixture, freePort, gateway, heard, inbox, keyPair, metrics, metricsBecome, now,
  poller, program, rawSio, rawWs, refused, request, run, tempDir, token, until, within,
};
