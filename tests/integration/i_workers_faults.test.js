/* As in i_workers_load.test.js, while something breaks. */
'use strict';
const { test } = require('node:test');
const assert = require('node:assert');
const { connected, environment, request, run, until } = require('./harness');
const { ready } = require('./cluster_harness');
const { startBackend, startLoad } = require('./load_harness');

const LEASE = { 'worker.lease_time': 1000 };
const start = (t, options) => startLoad(t, { clients: 200, told: true, ...options, workerSettings: { ...LEASE, ...options.workerSettings } });
/* So many are answered in all. */
const reached = (load, n) => until(() => load.acked() >= n, `${n} are answered`, 30000);

test('a worker is killed', async (t) => {
  const load = await start(t, {});
  load.say(40);
  await reached(load, 1000);
  await load.workers[0].kill();
  load.say(20);
  await load.answered();
  await load.shared(load.workers.slice(1));
  const { again } = await load.judge();
  assert.ok(again > 0, 'what it had in hand came again');
  assert.equal(await load.backlog(), 0);
});

test('a worker is stopped past its lease and continued', async (t) => {
  const load = await start(t, {});
  const [stopped, ...others] = load.workers;
  load.say(40);
  await reached(load, 1000);
  stopped.child.kill('SIGSTOP');
  await load.shared(others);
  await reached(load, 4000);
  stopped.child.kill('SIGCONT');
  load.say(20);
  await load.answered();
  await load.shared();
  load.say(4);
  await load.answered();
  const { again } = await load.judge();
  assert.ok(again > 0, 'what it had in hand came again');
  assert.ok(await load.sum([stopped], 'peal_worker_leases_lost_total') >= 5);
  assert.equal(await load.backlog(), 0);
});

/* A publish reaches who is connected: an ack that Redis has let go but not sent when it dies is lost. The gateways
 * come back later than the workers, whose results must wait for them. */
for (const how of ['stop', 'kill']) {
  test(`Redis has an append-only file and comes back after ${how}`, async (t) => {
    const load = await start(t, {
      redis: { aof: true }, window: 1000, settings: { 'bus.pending_max_age': 20000, 'redis.backoff_min': 1500 },
    });
    load.say(30);
    await reached(load, 1000);
    await load.redis[how]();
    load.say(20);
    await until(async () => await load.sum(load.gws, 'peal_work_pending') > 100, 'events wait', 10000);
    await load.redis.start();
    await Promise.all(load.gws.map((gw) => ready(gw)));
    await until(async () => await load.sum(load.gws, 'peal_work_pending') === 0 && await load.backlog() === 0, 'all is done', 40000);
    load.say(2); // these come behind all others
    await until(() => load.speakers.every((s) => s.values[s.limit - 1] !== undefined && s.did.at(-1) === s.limit - 1),
      'the last ones are answered', 20000);
    const { again, missing } = await load.judge({ lost: 30 });
    t.diagnostic(`${again} again, ${missing} without an ack`);
  });
}

/* Each of the bad ones has sockets of its own, whose events wait for one another. */
test('backends that hang, answer 500, junk, or 10 MB', async (t) => {
  const MANY = 10;
  const bad = await startBackend(t);
  const why = {
    500: /^the backend answered 500$/, junk: /^the answer: /, large: /larger than worker\.http_max_answer$/,
    hang: /did not answer in time/, deaf: /answer was lost/,
  };
  const route = (name) => ({ url: `${bad.url}/${name}`, events: [name], timeout: name === 'hang' ? 500 : 60000 });
  const load = await start(t, { clients: 100, routes: Object.keys(why).map(route) });
  const answers = new Map(Object.keys(why).map((name) => [name, []]));
  const errors = await Promise.all(Object.keys(why).map((_, i) => connected(t, load.gws[i % 2])));
  for (const [i, [name, list]] of [...answers].entries()) {
    for (let n = 0; n < MANY; n++) errors[i].emit(name, n, (answer) => list.push(answer));
  }
  const hanging = async () => Number((await request(bad, { path: '/hanging' })).body);
  await until(async () => await hanging() > 0, 'something hangs');
  load.say(60);
  await load.answered();
  await load.judge();
  /* One hangs since before, and holds up its own socket alone. */
  assert.equal(answers.get('deaf').length, 0);
  assert.ok(await hanging() > 0);
  await until(async () => {
    await request(bad, { method: 'POST', path: '/release' });
    return [...answers.values()].every((list) => list.length >= MANY);
  }, 'all are answered', 30000);
  for (const [name, list] of answers) {
    assert.equal(list.length, MANY);
    for (const a of list) assert.deepEqual([a.status, a.code], ['error', 'handler_failed'], name);
  }
  const all = MANY * answers.size;
  assert.equal(await load.sum(load.workers, 'peal_worker_dead_letters_total'), all);
  const list = await run('peal', ['dead', 'list', '--redis', load.redis.url, '--json'], { env: environment() });
  assert.equal(list.code, 0, list.stderr);
  const letters = list.stdout.trim().split('\n').map((l) => JSON.parse(l).fields);
  assert.equal(letters.length, all);
  for (const [i, name] of [...answers.keys()].entries()) {
    const own = letters.filter((l) => l.event === name);
    assert.deepEqual(own.map((l) => l.args).sort(), Array.from({ length: MANY }, (_, n) => JSON.stringify([name, n])).sort());
    for (const l of own) assert.deepEqual([why[name].test(l['dead.why']), l.sid, l['dead.attempts']], [true, errors[i].id, '1'], l['dead.why']);
  }
});
