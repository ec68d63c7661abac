/* SIGHUP: the configuration is read again while clients are there. */
'use strict';
const { test } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { accepted, admin, ask, client, connected, gateway, heard, inbox, metrics, refused, SECRET, tempDir, token } = require('./harness');
const { ready, startRedis } = require('./cluster_harness');

const OTHER = 'another-integration-secret-0123456789';
const OK = [{ status: 'ok' }];

/* A gateway whose configuration is a file; write(…) changes that. */
async function fromFile(t, first, settings = {}) {
  const dir = tempDir(t);
  const file = path.join(dir, 'peal.json');
  const write = (config) => fs.writeFileSync(file, typeof config === 'string' ? config : JSON.stringify(config));
  write(first);
  const gw = await gateway(t, { 'auth.secret': null, 'admin.port': 0, 'admin.host': '127.0.0.1', ...settings },
    { command: ['-c', file] });
  let seen = 0;
  return Object.assign(gw, {
    file, dir, write,
    /* Sends SIGHUP; the line that says what became of it. */
    async reload() {
      const lines = () => gw.lines.filter((l) => /msg="configuration (not )?reloaded/.test(l));
      gw.child.kill('SIGHUP');
      seen++;
      await gw.line({ test: () => lines().length >= seen });
      return lines()[seen - 1];
    },
  });
}

const letIn = async (t, gw, key) => accepted(client(t, gw, { auth: { token: await token({}, { key }) } }));
const keptOut = async (t, gw, key) => {
  const error = await refused(client(t, gw, { auth: { token: await token({}, { key }) } }));
  assert.equal(error.data.code, 'invalid_token');
};

test('a secret is rotated: old tokens are refused, live sockets stay', async (t) => {
  const gw = await fromFile(t, { auth: { secret: SECRET }, routes: { events: ['x=others'] } });
  const live = await connected(t, gw, { auth: { token: await token() } });
  await keptOut(t, gw, OTHER);
  gw.write({ auth: { secret: OTHER }, routes: { events: ['x=others'] } });
  assert.match(await gw.reload(), /level=info msg="configuration reloaded" changed=auth\.secret$/);
  await keptOut(t, gw, SECRET);
  await letIn(t, gw, OTHER);
  const second = await connected(t, gw, { auth: { token: await token({ sub: 'bob' }, { key: OTHER }) } });
  const got = heard(live, 'x');
  assert.deepEqual(await ask(second, 'x', 1), OK);
  assert.deepEqual(await got, [1]);
  assert.ok(live.connected);
  assert.doesNotMatch(gw.log, new RegExp(`${SECRET}|${OTHER}`));
  assert.equal((await metrics(gw)).peal_reloads_total, 1);
});

test('a key file is read again though its name has not changed', async (t) => {
  const dir = tempDir(t);
  const key = path.join(dir, 'secret');
  fs.writeFileSync(key, SECRET);
  const gw = await fromFile(t, { auth: { secret_file: key } });
  await letIn(t, gw, SECRET);
  fs.writeFileSync(key, `${OTHER}\n`);
  assert.match(await gw.reload(), /msg="configuration reloaded" changed=""$/);
  await keptOut(t, gw, SECRET);
  await letIn(t, gw, OTHER);
});

test('a bad file, a missing one, bad keys: one error line, and all stays as it was', async (t) => {
  const gw = await fromFile(t, { auth: { secret: SECRET } });
  const mistakes = [
    ['{"auth":', /level=error msg="configuration not reloaded: \S+peal\.json:1:\d+: /],
    [{ auth: { secret: OTHER }, queue: { max_age: 1 } }, /level=error .*queue\.max_age: \\"1\\" is not allowed: a whole number/],
    [{ auth: { secret: OTHER, secret_file: '/nowhere' } }, /level=error .*auth\.secret: auth\.secret_file is set, too/],
    [{ auth: { secret_file: '/nowhere' } }, /level=error .*auth\.secret_file: \\"\/nowhere\\": No such file/],
    [{ auth: { secret: 'short' } }, /level=error .*auth\.secret: has 5 bytes/],
    [{}, /level=error .*auth\.secret: missing/],
  ];
  for (const [config, line] of mistakes) {
    gw.write(config);
    assert.match(await gw.reload(), line);
    await letIn(t, gw, SECRET);
  }
  fs.rmSync(gw.file);
  assert.match(await gw.reload(), /level=error msg="configuration not reloaded: \S+peal\.json: No such file or directory"$/);
  await letIn(t, gw, SECRET);
  await keptOut(t, gw, OTHER);
  const all = await metrics(gw);
  assert.equal(all.peal_reloads_refused_total, mistakes.length + 1);
  assert.equal(all.peal_reloads_total, 0);
  assert.equal((await admin(gw, '/readyz')).status, 200);
});

test('a change that needs a restart is named, and nothing of that file is taken over', async (t) => {
  const gw = await fromFile(t, { auth: { secret: SECRET } });
  gw.write({ auth: { secret: OTHER }, gateway: { max_payload: 5000 }, engine: { ping_interval: 1000 } });
  assert.match(await gw.reload(),
    /level=warn msg="configuration not reloaded, it needs a restart: gateway\.max_payload, engine\.ping_interval"$/);
  await letIn(t, gw, SECRET);
  await keptOut(t, gw, OTHER);
  gw.write({ auth: { secret: OTHER } });
  assert.match(await gw.reload(), /level=info/);
  await letIn(t, gw, OTHER);
});

test('routes, rooms and the log level follow; the command line still wins', async (t) => {
  const gw = await fromFile(t, { auth: { secret: SECRET }, routes: { events: ['old=none'] } }, { 'queue.max_age': 7000 });
  const socket = await connected(t, gw, { auth: { token: await token() } });
  assert.deepEqual(await ask(socket, 'old'), OK);
  assert.equal((await ask(socket, 'join', 'red'))[0].code, 'no_route');
  gw.write({
    auth: { secret: SECRET }, routes: { events: ['new=none'], client_rooms: ['red'] }, log: { level: 'warn' }, queue: { max_age: 9000 },
  });
  assert.match(await gw.reload(), /changed="routes\.events, routes\.client_rooms, log\.level"$/);
  assert.equal((await ask(socket, 'old'))[0].code, 'no_route');
  assert.deepEqual(await ask(socket, 'new'), OK);
  assert.deepEqual(await ask(socket, 'join', 'red'), OK);
  const before = gw.count(/msg=connected /);
  await letIn(t, gw, SECRET);
  assert.equal(gw.count(/msg=connected /), before);
});

test('reloadable rows of the bus follow, the connections to Redis stay', async (t) => {
  const redis = await startRedis(t);
  const gw = await fromFile(t, { bus: { pending_max_age: 60000 } }, { 'redis.url': redis.url, 'auth.mode': 'none' });
  await ready(gw);
  const socket = await connected(t, gw);
  gw.write({ bus: { pending_max_age: 100, pending_max_bytes: 65536, gap_event: true } });
  assert.match(await gw.reload(), /changed="bus\.pending_max_bytes, bus\.pending_max_age, bus\.gap_event"$/);
  assert.equal((await metrics(gw)).peal_bus_disconnects_total, 0);
  const box = inbox(socket, 'bus_gap');
  await redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
  assert.deepEqual(Object.keys((await box.next())[0]), ['ms']);
  await redis.kill();
  await gw.line(/Redis is lost.*link=bus-out/);
  assert.equal((await ask(socket, 'message', 'x'.repeat(70000)))[0].code, 'bus_unavailable', 'too many bytes');
  assert.equal((await ask(socket, 'message', 'x'))[0].code, 'bus_unavailable', 'too old, soon');
});
