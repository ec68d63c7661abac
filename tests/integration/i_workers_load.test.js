/* 200 stock clients on 2 gateways, 3 workers, half of the events for a C module and half for a backend over
 * HTTP: nothing is lost, all is in order, every ack is right. */
'use strict';
const { test } = require('node:test');
const assert = require('node:assert');
const { startLoad } = require('./load_harness');

test('200 clients, 500 events each', async (t) => {
  const load = await startLoad(t, { clients: 200 });
  load.say(500);
  await load.answered();
  assert.deepEqual(await load.judge(), { again: 0, missing: 0 });
  assert.equal(await load.backlog(), 0);
  assert.equal(await load.sum(load.workers, 'peal_worker_finished_total'), 100000);
});
