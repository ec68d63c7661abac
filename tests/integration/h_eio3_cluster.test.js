/* Old clients (Engine.IO 3) on several gateways and beside Node: their ids are "<sid>" and "/nsp#<sid>", and
 * begin only in "/" with the name of their gateway. */
'use strict';
const { test } = require('node:test');
const assert = require('node:assert');
const { accepted, ask, atEnd, OLD_CLIENTS, connected, heard, inbox, rawWs, until } = require('./harness');
const { clusterGateway, emitter, nodePeer, ready, startRedis } = require('./cluster_harness');
const { act, fixtures } = require('./interop_harness');
const { EIO3, KINDS, poller3, textPayload, title } = require('./eio3_harness');

const BYTES = Buffer.from([0, 1, 0xff, 4]);
const SETTINGS = { ...EIO3, 'socketio.namespaces': '/,/admin' };

/* A client's sockets in "/" and "/admin", with the ids that the cluster knows them by. */
async function both(t, gw, { client, transports }) {
  const manager = new OLD_CLIENTS[client].Manager(gw.url, { path: gw.path, reconnection: false, transports });
  atEnd(t, () => manager.close());
  const [main, admin] = [manager.socket('/'), manager.socket('/admin')];
  await Promise.all([accepted(main), accepted(admin)]);
  return [[main, manager.engine.id], [admin, `/admin#${manager.engine.id}`]];
}

for (const subscribe of ['interest', 'everything']) {
  test(`private messages find old clients from everywhere, once, bus.subscribe=${subscribe}`, async (t) => {
    const redis = await startRedis(t);
    const gws = await fixtures(t, redis, { n: 2, settings: { ...SETTINGS, 'bus.subscribe': subscribe } });
    const node = await nodePeer(t, redis);
    const nodeAdmin = await node.of('/admin');
    const emit = await emitter(t, redis);
    const speakers = await Promise.all(['', '/admin'].map((nsp) => Promise.all(gws.map((gw) => connected(t, gw, { nsp })))));
    const sockets = (await Promise.all(KINDS.map((kind, i) => both(t, gws[i % 2], kind)))).flat();
    const boxes = sockets.map(([s]) => inbox(s, 'dm'));
    for (const [i, [, id]] of sockets.entries()) {
      const n = i % 2;
      for (const speaker of speakers[n]) await act(speaker, 'emit', { rooms: [id] }, ['dm', 'peal', i]);
      (n ? nodeAdmin : node.io).to(id).emit('dm', 'node', i, BYTES);
      (n ? emit.of('/admin') : emit).to(id).emit('dm', 'emitter', i);
    }
    /* What comes last for all shows that nothing came twice or to another. */
    await until(async () => boxes.every((b) => b.items.length >= 4), 'all private messages');
    for (const nsp of ['/', '/admin']) emit.of(nsp).emit('dm', 'end');
    for (const [i, box] of boxes.entries()) {
      const got = [];
      while (got.at(-1) !== 'end') got.push((await box.next()).slice(0, 2).join(' '));
      assert.deepEqual(got.sort(), [`emitter ${i}`, 'end', `node ${i}`, `peal ${i}`, `peal ${i}`].sort(), `${title(KINDS[i >> 1])} ${sockets[i][1]}`);
    }
  });
}

test('broadcasts between gateways, old and new clients, text and binary', async (t) => {
  const redis = await startRedis(t);
  const gws = await fixtures(t, redis, { n: 2, settings: EIO3 });
  const sockets = await Promise.all([...KINDS, {}, { transports: ['polling'] }].map((kind, i) => connected(t, gws[i % 2], kind)));
  const boxes = sockets.map((s) => inbox(s, 'message'));
  for (const [i, s] of sockets.entries()) assert.deepEqual(await ask(s, 'message', i, BYTES), [{ status: 'ok' }]);
  for (const box of boxes) {
    const got = await box.take(sockets.length);
    assert.deepEqual(got.map(([i, b]) => [i, Buffer.from(b).toString('hex')]), sockets.map((_, i) => [i, BYTES.toString('hex')]));
  }
});

test('the cluster sees old clients\' sockets, and moves and closes them by their ids', async (t) => {
  const redis = await startRedis(t);
  const gws = await fixtures(t, redis, { n: 2, settings: SETTINGS });
  const node = await nodePeer(t, redis);
  const admin = await node.of('/admin');
  const [, [socket, id]] = await both(t, gws[0], KINDS[4]);
  const found = await until(async () => (await admin.in(id).fetchSockets())[0], 'the socket by its id');
  assert.deepEqual([found.id, [...found.rooms], found.handshake.query.EIO], [id, [id], '3']);
  admin.in(id).socketsJoin('staff');
  await until(async () => (await admin.in('staff').fetchSockets()).length === 1, 'its room');
  const news = inbox(socket, 'news');
  await act(await connected(t, gws[1], { nsp: '/admin' }), 'emit', { except: [id] }, ['news', 'for the others']);
  admin.to('staff').emit('news', 'for staff');
  assert.deepEqual(await news.next(), ['for staff']);
  const end = heard(socket, 'disconnect');
  admin.in(id).disconnectSockets();
  assert.deepEqual(await end, ['io server disconnect']);
});

test('a CONNECT of "/" waits until the bus hears', async (t) => {
  const redis = await startRedis(t);
  const gw = await clusterGateway(t, redis, SETTINGS);
  await ready(gw);
  await redis.kill();
  await gw.line(/Redis/);
  const ws = await rawWs(t, gw, 'EIO=3&transport=websocket');
  assert.match(await ws.next(), /^0\{/);
  ws.send('2');
  assert.equal(await ws.next(), '3', 'not connected yet');
  await redis.start();
  assert.equal(await ws.next(10000), '40');
});

test('leaving and joining again while the bus is asked: the last socket is let in, once', async (t) => {
  const redis = await startRedis(t);
  const gw = await clusterGateway(t, redis, { ...SETTINGS, 'socketio.namespaces': '/,/adm*' }); // not held from the start
  await ready(gw);
  const p = await poller3(gw, '&b64=1');
  assert.deepEqual(await p.packets(1), ['40']);
  const circle = Array.from({ length: 10 }, () => ['40/admin,', '41/admin,']).flat();
  assert.equal((await p.post(textPayload(...circle, '40/admin,'))).body, 'ok');
  assert.deepEqual(await p.packets(1), ['40/admin,']);
  assert.equal((await p.post(textPayload('42/admin,8["message",2]'))).body, 'ok');
  assert.deepEqual((await p.packets(2)).sort(), ['42/admin,["message",2]', '43/admin,8[{"status":"ok"}]']);
});
