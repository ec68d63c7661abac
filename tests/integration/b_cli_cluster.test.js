/* peal status and peal emit on a real cluster. */
'use strict';
const { test } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const notepack = require('notepack.io');
const {
  ask, atEnd, connected, environment, freePort, inbox, Program, program, run, SECRET, tempDir, token, until, within,
} = require('./harness');
const { clusterGateway, emitter, nodePeer, startRedis, tap } = require('./cluster_harness');

const OK = [{ status: 'ok' }];
const ROOMS = { 'routes.events': 'message=all', 'routes.client_rooms': '*' };
const peal = (command, redis, args = [], options = {}) =>
  run('peal', [command, '--redis', redis.url, ...args], options);
/* … which must succeed without a complaint; gives what it says. */
async function emit(redis, args, options) {
  const r = await peal('emit', redis, args, options);
  assert.deepEqual([r.code, r.stderr], [0, ''], args.join(' '));
  return r.stdout;
}
async function status(redis, args = []) {
  const r = await peal('status', redis, ['--json', ...args]);
  assert.equal(r.stderr, '');
  return { code: r.code, ...JSON.parse(r.stdout) };
}

/* Gateways that are ready, as `peal status` sees it. */
async function cluster(t, redis, { n = 3, settings = {} } = {}) {
  const beat = { 'bus.heartbeat_interval': 100, ...settings };
  const gws = await Promise.all(Array.from({ length: n }, () => clusterGateway(t, redis, beat)));
  await until(async () => {
    const seen = await status(redis);
    return seen.ready && seen.totals.nodes === n;
  }, 'all are ready', 10000);
  return gws;
}

/* A `peal emit` whose standard input stays open. */
class Piped {
  constructor(t, args) {
    this.child = spawn(program('peal'), args, { env: environment(), stdio: 'pipe' });
    this.out = { stdout: '', stderr: '' };
    for (const stream of ['stdout', 'stderr'])
      this.child[stream].setEncoding('utf8').on('data', (text) => { this.out[stream] += text; });
    this.child.stdin.on('error', () => {});
    this.closed = once(this.child, 'close');
    atEnd(t, async () => {
      this.child.kill('SIGKILL');
      await this.closed;
    });
  }
  async end() {
    const [code] = await within(this.closed, 'end of peal emit', 20000);
    return { code, ...this.out };
  }
}

/* A `peal emit` has published something. */
const begun = (redis) => until(async () => (await redis.clients()).some((c) => c.name === 'peal:cli' && c.cmd === 'publish'),
  'peal emit has begun');

/* ---- emit */

test('emit reaches everybody, on gateways and on a Node server', async (t) => {
  const redis = await startRedis(t);
  const gws = await cluster(t, redis);
  const peer = await nodePeer(t, redis);
  const boxes = [];
  for (const gw of [...gws, peer]) boxes.push(inbox(await connected(t, gw), 'message'));
  assert.equal(await emit(redis, ['message', '"hello"', '{"n": [1, null]}', '-5']), 'published to 4 subscribers\n');
  for (const box of boxes) assert.deepEqual(await box.next(), ['hello', { n: [1, null] }, -5]);
  await emit(redis, ['message']);
  for (const box of boxes) assert.deepEqual(await box.next(), []);
  await emit(redis, ['--text', 'message', 'it\'s "text"', '-5', '']);
  for (const box of boxes) assert.deepEqual(await box.next(), ['it\'s "text"', '-5', '']);
  await emit(redis, ['--text', '--', 'message', '--to']);
  for (const box of boxes) assert.deepEqual(await box.next(), ['--to']);
  await emit(redis, ['message', '123456789012345678901234567890']);
  for (const box of boxes) assert.equal((await box.next()).length, 1);
});

test('emit to rooms, users, namespaces, and not to others', async (t) => {
  const redis = await startRedis(t);
  const gws = await cluster(t, redis, {
    settings: { ...ROOMS, 'auth.mode': 'connect', 'auth.secret': SECRET, 'socketio.namespaces': '/,/chat' },
  });
  const people = {};
  for (const [i, sub] of ['ann', 'bob', 'cid'].entries())
    people[sub] = await connected(t, gws[i], { auth: { token: await token({ sub }) } });
  const chat = await connected(t, gws[0], { nsp: '/chat', auth: { token: await token({ sub: 'ann' }) } });
  assert.deepEqual(await ask(people.ann, 'join', 'red'), OK);
  assert.deepEqual(await ask(people.bob, 'join', 'red'), OK);
  assert.deepEqual(await ask(people.bob, 'join', 'blue'), OK);
  const boxes = Object.entries({ ...people, chat }).map(([name, s]) => [name, inbox(s, 'note')]);
  let n = 0;
  for (const [args, want] of [
    [[], ['ann', 'bob', 'cid']],
    [['--to', 'red'], ['ann', 'bob']],
    [['--to', 'red', '--except', 'blue'], ['ann']],
    [['--to', 'blue', '--user', 'cid'], ['bob', 'cid']],
    [['--user', 'ann'], ['ann']],
    [['--user=ann', '--user=bob', '--volatile'], ['ann', 'bob']],
    [['--except', 'red', '--except', 'none'], ['cid']],
    [['--to', people.cid.id], ['cid']],
    [['--nsp', '/chat'], ['chat']],
    [['--nsp', 'chat', '--user', 'ann'], ['chat']],
    [['--to', 'red', '--to', 'blue', '--to', 'red'], ['ann', 'bob']],
  ]) {
    /* To those, and then to all: who hears only the latter was left out. */
    await emit(redis, [...args, 'note', String(++n)]);
    for (const nsp of ['/', '/chat']) await emit(redis, ['--nsp', nsp, 'note', '"end"']);
    for (const [name, box] of boxes) {
      if (want.includes(name)) assert.deepEqual(await box.next(), [n], `${name} by ${args.join(' ')}`);
      assert.deepEqual(await box.next(), ['end'], `${name} by ${args.join(' ')}`);
    }
  }
});

test('emit says what the official emitter says', async (t) => {
  const redis = await startRedis(t);
  const heard = [];
  await tap(t, redis, '*', (m) => heard.push({ channel: m.channel, message: notepack.decode(m.message) }));
  const official = await emitter(t, redis, { key: 'own' });
  const own = (...args) => peal('emit', redis, ['--set', 'bus.key=own', ...args]);
  const data = { a: [1, -200, 2.5, 'ü', null, true], b: {} };
  const text = JSON.stringify(data);
  for (const [say, args] of [
    [(e) => e.emit('ev', data), ['ev', text]],
    [(e) => e.to('r').emit('ev', data), ['--to', 'r', 'ev', text]],
    [(e) => e.to('r').to('s').except('x').volatile.emit('ev'), ['--to', 'r', '--to', 's', '--except', 'x', '--volatile', 'ev']],
    [(e) => e.of('/chat').to('r').emit('ev', 1, '2'), ['--nsp', '/chat', '--to', 'r', 'ev', '1', '"2"']],
  ]) {
    say(official);
    await until(() => heard.length === 1, 'the emitter is heard');
    const r = await own(...args);
    assert.equal(r.code, 0, r.stderr);
    await until(() => heard.length === 2, 'peal emit is heard');
    const [theirs, ours] = heard.splice(0);
    assert.deepEqual(ours, theirs);
  }
});

test('emit of standard input: 10 000 lines in order, from a pipe and from a file', async (t) => {
  const redis = await startRedis(t);
  const gws = await cluster(t, redis, { n: 2, settings: ROOMS });
  const sockets = [await connected(t, gws[0]), await connected(t, gws[1])];
  const boxes = sockets.map((s) => inbox(s, 'n'));
  const n = 10000;
  const numbers = Array.from({ length: n }, (_, i) => [i]);
  const says = `published ${n} events, the first to 2 subscribers\n`;

  assert.equal(await emit(redis, ['n', '-'], { input: numbers.join('\n') }), says);
  for (const box of boxes) assert.deepEqual(await within(box.take(n), 'all lines', 20000), numbers);

  const file = path.join(tempDir(t), 'lines');
  fs.writeFileSync(file, numbers.map((v) => `["n",${v}]\r\n`).join('\n'));
  const child = spawn(program('peal'), ['emit', '--redis', redis.url, '--stdin'],
    { env: environment(), stdio: [fs.openSync(file), 'pipe', 'inherit'] });
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (d) => { out += d; });
  const [code] = await within(once(child, 'close'), 'end of peal emit', 20000);
  assert.deepEqual([code, out], [0, says]);
  for (const box of boxes) assert.deepEqual(await within(box.take(n), 'all lines', 20000), numbers);

  assert.deepEqual(await ask(sockets[0], 'join', 'log'), OK);
  await emit(redis, ['--text', '--to', 'log', 'n', '-'], { input: 'one line\n\n"three"' });
  assert.deepEqual(await boxes[0].take(3), [['one line'], [''], ['"three"']]);
  assert.equal(await emit(redis, ['-'], { input: '' }), 'published 0 events\n');
});

test('emit tells wrong lines by number and goes on, or stops', async (t) => {
  const redis = await startRedis(t);
  const [gw] = await cluster(t, redis, { n: 1 });
  const box = inbox(await connected(t, gw), 'n');
  const large = JSON.stringify(['n', 'x'.repeat(2000)]);
  const input = ['["n",1]', '{"n":1}', '["n",', '["connect"]', '', '"n"', large, '["n",2]'].join('\n');
  const args = ['--set', 'bus.max_message=1024', '-'];
  const r = await peal('emit', redis, args, { input });
  assert.equal(r.code, 1);
  assert.equal(r.stdout, 'published 2 events, the first to 1 subscriber\n');
  assert.deepEqual(r.stderr.match(/line \d+/g), ['line 2', 'line 3', 'line 4', 'line 6', 'line 7']);
  assert.match(r.stderr, /line 2: it is no array.*\n.*line 3: unexpected end.*\n.*line 4: reserved event name\n/);
  assert.match(r.stderr, /line 7: longer than bus\.max_message\n.*5 lines not taken\n$/);
  assert.deepEqual(await box.take(2), [[1], [2]]);

  const strict = await peal('emit', redis, ['--strict', ...args], { input });
  assert.equal(strict.code, 1);
  assert.match(strict.stdout, /^published 1 event,/);
  assert.deepEqual(strict.stderr.match(/line \d+/g), ['line 2']);
  await emit(redis, ['n', '"end"']);
  assert.deepEqual(await box.take(2), [[1], ['end']]);
});

test('emit reads no more while Redis does not answer', async (t) => {
  const redis = await startRedis(t);
  const p = new Piped(t, ['emit', '--redis', redis.url, '--set', 'redis.command_timeout=60000', 'n', '-']);
  p.child.stdin.write('0\n');
  await begun(redis);
  await redis.pause();
  const given = 60000;
  p.child.stdin.write(`"${'x'.repeat(1000)}"\n`.repeat(given));
  const taken = () => Number(/^rchar: (\d+)/m.exec(fs.readFileSync(`/proc/${p.child.pid}/io`, 'utf8'))[1]);
  const before = taken();
  let last = -1;
  let same = 0;
  await until(() => {
    const n = taken();
    same = n === last && n > before ? same + 1 : 0;
    last = n;
    return same === 40;
  }, 'it reads no more', 20000);
  assert.ok(last - before > 1e6 && last - before < 10e6, `${last - before} bytes of ${given} kB are read`);
  redis.resume();
  p.child.stdin.end();
  const r = await p.end();
  assert.deepEqual([r.code, r.stdout], [0, `published ${given + 1} events, the first to 0 subscribers\n`]);
  assert.match(r.stderr, /nobody listens/);
});

test('emit without Redis, and when it goes away', async (t) => {
  const nowhere = { url: `redis://127.0.0.1:${await freePort()}` };
  for (const args of [['n', '1'], ['n', '-'], ['-']]) {
    const r = await peal('emit', nowhere, args, { input: '1\n' });
    assert.equal(r.code, 1);
    assert.match(r.stderr, /^peal emit: Redis at 127\.0\.0\.1:\d+: connect: Connection refused\n$/);
  }
  const none = await run('peal', ['emit', 'n']);
  assert.equal(none.code, 1);
  assert.match(none.stderr, /^peal emit: no Redis is configured: .*--redis.*PEAL_REDIS_URL.*redis\.url.*\n$/);

  const redis = await startRedis(t);
  const p = new Piped(t, ['emit', '--redis', redis.url, 'n', '-']);
  p.child.stdin.write('0\n');
  await begun(redis);
  await redis.kill();
  const r = await p.end();
  assert.deepEqual([r.code, r.stdout], [1, 'published 1 event, the first to 0 subscribers\n']);
  assert.match(r.stderr, /^peal emit: Redis at 127\.0\.0\.1:\d+: \S/);
});

test('emit: what Redis has not answered when it goes away is told', async (t) => {
  const redis = await startRedis(t);
  const p = new Piped(t, ['emit', '--redis', redis.url, 'n', '-']);
  p.child.stdin.write('0\n');
  await begun(redis);
  await redis.pause();
  await new Promise((resolve) => { p.child.stdin.write('1\n2\n', resolve); });
  const r = await p.end(); // redis.command_timeout
  redis.resume();
  assert.equal(r.code, 1);
  assert.match(r.stderr, /Redis at .*: a command was not answered in time\n/);
  assert.match(r.stderr, /2 events may or may not have been published\n/);
});

test('emit interrupted says what it has done', async (t) => {
  const redis = await startRedis(t);
  const p = new Piped(t, ['emit', '--redis', redis.url, 'n', '-']);
  p.child.stdin.write('0\n');
  await begun(redis);
  p.child.kill('SIGINT');
  const r = await p.end();
  assert.deepEqual([r.code, r.stdout], [1, 'published 1 event, the first to 0 subscribers\n']);
});

test('emit refuses wrong use, and that nothing is sent to everybody by mistake', async (t) => {
  const redis = await startRedis(t);
  const heard = [];
  await tap(t, redis, '*', (m) => heard.push(m.channel));
  for (const [args, says] of [
    [[], /which event/], [['--bogus=secret', 'n'], /unknown option --bogus\n/], [['--to'], /--to needs a value/],
    [['--to', '', 'n'], /--to: a name is not empty/], [['--user=', 'n'], /--user: a name is not empty/],
    [['n', '1', '--to', 'room'], /"--to": options stand before EVENT/], [['--text', 'n', 'x', '--to=room'], /options stand before EVENT/],
    [['n', 'hello'], /argument hello is not JSON: quote a text, '"hello"', or use --text\n/], [['n', '{"a":}'], /argument \{"a":\}: unexpected/],
    [['n', 'x'.repeat(100)], /argument x{60}… is not JSON/], [['n', '1', '-'], /arguments and standard input/], [['--text', '-'], /--text needs an EVENT/],
    [['disconnect'], /disconnect: reserved event name/], [['disconnect', '-'], /disconnect: reserved event name/],
  ]) {
    const r = await peal('emit', redis, args, { input: '1\n' });
    assert.equal(r.code, 2, args.join(' '));
    assert.match(r.stderr, says);
    assert.ok(!r.stderr.includes('secret'));
  }
  const long = await peal('emit', redis, ['--to', 'x'.repeat(2000), 'n']);
  assert.equal(long.code, 1);
  assert.match(long.stderr, /namespace and room are too long/);
  const help = await run('peal', ['emit', '--help']);
  assert.deepEqual([help.code, help.stderr], [0, '']);
  assert.match(help.stdout, /usage: peal emit [^]*--except ROOM[^]*--redis URL/);
  const unheard = await peal('emit', redis, ['--set', 'bus.key=other', '--to', 'r', 'n']);
  assert.equal(unheard.code, 0, 'the tap hears it');
  await until(() => heard.length === 1, 'the last one is heard');
  assert.deepEqual(heard, ['other#/#r#']);
});

test('a wrong password, and a user who may not', async (t) => {
  const redis = await startRedis(t, {
    password: 'sesame-right', users: [
      'seer on >sesame-seer ~* &* -@all +smembers +getrange +pttl +client|setname +ping',
      'mute on >sesame-mute ~* &* -@all +ping',
    ],
  });
  await cluster(t, redis, { n: 1 });
  const as = (login) => ({ url: redis.url.replace(/\/\/.*@/, `//${login}@`) });
  for (const command of ['status', 'emit']) {
    const r = await peal(command, as(':sesame-wrong'), command === 'emit' ? ['n'] : []);
    assert.equal(r.code, 1);
    assert.match(r.stdout + r.stderr, /Redis at 127\.0\.0\.1:\d+.*AUTH: WRONGPASS/);
    assert.ok(!(r.stdout + r.stderr).includes('sesame'));
  }
  const env = { PEAL_REDIS_PASSWORD: 'sesame-right' };
  assert.equal((await peal('status', { url: `redis://127.0.0.1:${redis.port}` }, [], { env })).code, 0, 'the password of the environment counts');

  const seer = await status(as('seer:sesame-seer'));
  assert.deepEqual([seer.code, seer.ready, seer.nodes.length, seer.other_servers, seer.redis.version], [0, true, 1, undefined, undefined]);
  const mute = await status(as('mute:sesame-mute'));
  assert.equal(mute.code, 1);
  assert.match(mute.redis.error, /NOPERM/);
  const refused = await peal('emit', as('mute:sesame-mute'), ['n', '-'], { input: '1\n2\n' });
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /^peal emit: line 1: Redis refuses: NOPERM[^\n]*\n$/);
  assert.equal(refused.stdout, 'published 0 events\n');
});

/* ---- status */

test('status of three gateways and a Node server', async (t) => {
  const redis = await startRedis(t);
  const gws = await cluster(t, redis, { settings: ROOMS });
  const s = await connected(t, gws[1]);
  assert.deepEqual(await ask(s, 'join', 'red'), OK);
  let peer = 0;
  for (const others of [0, 1]) {
    if (others) peer = await nodePeer(t, redis);
    const seen = await until(async () => {
      const all = await status(redis);
      return all.totals.sockets === 1 && all;
    }, 'the heartbeats tell of the client', 10000);
    assert.deepEqual([seen.code, seen.ready, seen.key, seen.other_servers], [0, true, 'socket.io', others]);
    assert.deepEqual(seen.totals, { nodes: 3, ready: 3, connections: 1, sockets: 1, gaps: 0, pending: 0 });
    assert.equal(seen.redis.where, `127.0.0.1:${redis.port}`);
    assert.match(seen.redis.version, /^\d+\.\d/);
    assert.deepEqual(seen.nodes.map((n) => n.port).sort(), gws.map((g) => g.port).sort());
    assert.deepEqual(seen.nodes.map((n) => n.pid).sort(), gws.map((g) => g.child.pid).sort());
    for (const n of seen.nodes) {
      assert.equal(n.state, 'ready');
      assert.ok(n.heartbeat_age_ms >= 0 && n.heartbeat_age_ms < 10000 && n.channels > 0, JSON.stringify(n));
    }
    assert.deepEqual(seen.nodes.map((n) => n.sockets).sort(), [0, 0, 1]);
  }
  assert.ok(peer);
  const table = await peal('status', redis);
  assert.deepEqual([table.code, table.stderr], [0, '']);
  assert.match(table.stdout, /^Redis \S+ at 127\.0\.0\.1:\d+, key socket\.io, connected\nNODE +HOST +PID +VERSION +PORT .* STATE\n(\S+ .*\d+\.\ds +ready\n){3}3 gateways, 3 ready; 1 connection, 1 socket\n\+1 other server on \/ /);
  assert.ok(!table.stdout.includes('\x1b'));
});

test('status --watch sees a gateway fall silent and come back, and Redis go and come', async (t) => {
  const redis = await startRedis(t);
  const gws = await cluster(t, redis, { settings: { 'bus.heartbeat_timeout': 1000 } });
  const watch = new Program('peal', ['status', '--json', '--watch=0.1', '--redis', redis.url,
    '--set', 'bus.heartbeat_interval=100', '--set', 'bus.heartbeat_timeout=1000'], {}, 'stdout');
  atEnd(t, () => watch.stop('SIGINT'));
  const sees = (what, check) => until(() => watch.lines.length && check(JSON.parse(watch.lines.at(-1))), `it sees ${what}`, 15000);
  await sees('three gateways', (v) => v.ready && v.totals.nodes === 3 && v.nodes.every((n) => n.heartbeat_age_ms <= 1000));
  gws[2].child.kill('SIGSTOP');
  try {
    await sees('one fall silent', (v) => v.ready && v.totals.nodes === 2 && !v.nodes.some((n) => n.port === gws[2].port));
    assert.ok(watch.lines.some((l) => JSON.parse(l).nodes.some((n) => n.port === gws[2].port && n.heartbeat_age_ms > 300)), 'its heartbeat grew old');
  } finally {
    gws[2].child.kill('SIGCONT');
  }
  await sees('it come back', (v) => v.ready && v.totals.nodes === 3);
  await redis.kill();
  await sees('Redis away', (v) => !v.redis.connected && v.redis.error && !v.ready && v.nodes.length === 0);
  await redis.start();
  await sees('everybody again', (v) => v.redis.connected && v.ready && v.totals.nodes === 3);
  await watch.stop('SIGINT'); // exit status 0
});

test('status tells a gateway that ends, and heartbeats that are none', async (t) => {
  const redis = await startRedis(t);
  await redis.command('SADD', 'socket.io-peal-nodes', 'gone', 'list', 'x'.repeat(100));
  await redis.command('RPUSH', 'socket.io-peal-node#list', 'x');
  const empty = await peal('status', redis);
  assert.equal(empty.code, 1);
  assert.match(empty.stdout, /connected\nNo gateway has been heard of in the last 10\.0 s\..*bus\.key/);
  await cluster(t, redis, { n: 1 });
  const gw = await clusterGateway(t, redis, { 'bus.heartbeat_interval': 100, 'gateway.drain_wait': 60000 });
  await until(async () => (await status(redis)).totals.ready === 2, 'both are ready');
  gw.child.kill('SIGTERM');
  const ending = await until(async () => {
    const all = await status(redis);
    return !all.ready && all;
  }, 'one of them ends');
  assert.deepEqual([ending.code, ending.totals.ready, ending.nodes.find((n) => n.port === gw.port).state], [1, 1, 'stopping']);
  await gw.stop(); // a second signal ends the drain
  await until(async () => (await status(redis)).code === 0, 'it has taken its heartbeat with it');
  /* Gateways take names without a heartbeat out of the set: heartbeats first. */
  await redis.command('SET', 'socket.io-peal-node#evil\x1b[2J', '{"host":"a\\u001b[31mb","pid":"x","trouble":5}');
  await redis.command('SET', 'socket.io-peal-node#liar', `{"trouble":"${'x'.repeat(100000)}"}`, 'PX', 60000);
  await redis.command('SADD', 'socket.io-peal-nodes', 'evil\x1b[2J', 'liar');
  const seen = await status(redis);
  assert.equal(seen.code, 1);
  const by = Object.fromEntries(seen.nodes.map((n) => [n.id, n]));
  assert.deepEqual(by['evil?[2J'], { id: 'evil?[2J', host: 'a?[31mb', state: 'unknown' });
  assert.deepEqual(by.liar, { id: 'liar', state: 'unreadable heartbeat' });
  assert.deepEqual(seen.totals.nodes, 3);
  const table = await peal('status', redis);
  assert.ok(!/[^\n\x20-\x7e]/.test(table.stdout), table.stdout);
  assert.match(table.stdout, /3 gateways, 1 ready/);
});

test('status without Redis, and wrong use of it', async () => {
  const nowhere = { url: `redis://127.0.0.1:${await freePort()}` };
  const table = await peal('status', nowhere);
  assert.deepEqual([table.code, table.stderr], [1, '']);
  assert.match(table.stdout, /^Redis at 127\.0\.0\.1:\d+, key socket\.io, away: connect: Connection refused\n$/);
  const json = await status(nowhere);
  assert.deepEqual([json.code, json.ready, json.redis.connected, json.nodes], [1, false, false, []]);
  const none = await run('peal', ['status']);
  assert.equal(none.code, 1);
  assert.match(none.stderr, /^peal status: no Redis is configured: .*\n$/);
  for (const [args, says] of [
    [['--watch=x'], /--watch: "x" is not allowed/], [['--watch=0'], /from 0\.1/], [['extra'], /unexpected "extra"/], [['--jso=1'], /option/],
    [['-x'], /unknown option -x/],
  ]) {
    const r = await run('peal', ['status', ...args]);
    assert.equal(r.code, 2, args.join(' '));
    assert.match(r.stderr, says);
  }
  for (const [args, says] of [
    [['--redis', 'http://x'], /redis\.url/], [['--set', 'bus.kay=1'], /bus\.kay/], [['-c', '/nonexistent'], /nonexistent/],
  ]) {
    const r = await run('peal', ['status', ...args]);
    assert.equal(r.code, 1, args.join(' '));
    assert.match(r.stderr, says);
  }
  const help = await run('peal', ['status', '--help']);
  assert.deepEqual([help.code, help.stderr], [0, '']);
  assert.match(help.stdout, /usage: peal status [^]*--watch[^]*--redis URL/);
});
