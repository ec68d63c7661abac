/* Old clients (Engine.IO 3) beside new ones: broadcasts, binary, acks, rooms, namespaces, coming back. */
'use strict';
const { test } = require('node:test');
const assert = require('node:assert');
const { accepted, ask, atEnd, client, OLD_CLIENTS, connected, freePort, gateway, heard, inbox, rawSio, rawWs, until } = require('./harness');
const { KINDS, OLD, OPEN, poller3, textPayload, title } = require('./eio3_harness');

const OK = [{ status: 'ok' }];
const NEW = ['3.x', '4.x'].flatMap((client) => [['websocket'], ['polling']].map((transports) => ({ client, transports })));
const ALL = [...KINDS, ...NEW];
const BYTES = Buffer.from([0, 1, 2, 0xff, 0x80, 4]);
const error = (code, message) => [{ status: 'error', code, message }];

/* One client of every kind. */
const everyKind = (t, gw, options) => Promise.all(ALL.map((kind) => connected(t, gw, { ...kind, ...options })));

/* Binary is a Buffer in one client and an ArrayBuffer in another. */
const plain = (v) => {
  if (v instanceof ArrayBuffer || ArrayBuffer.isView(v)) return { bytes: Buffer.from(v.buffer ? v : new Uint8Array(v)).toString('hex') };
  if (Array.isArray(v)) return v.map(plain);
  if (v && typeof v === 'object') return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, plain(x)]));
  return v;
};

test('each kind\'s broadcasts reach every other, text and binary, in one order', async (t) => {
  const gw = await gateway(t, OPEN);
  const sockets = await everyKind(t, gw);
  const boxes = sockets.map((s) => inbox(s, 'message'));
  /* In Node, 1.7 polls in base64 and encodes text as UTF-8 twice, which no later server undoes. */
  const garbles = (i) => ALL[i].client === '1.7' && ALL[i].transports[0] === 'polling';
  const sent = sockets.flatMap((s, i) => [
    [i, garbles(i) ? 'text' : 'text é€\u{1f600}'], [i, BYTES, { deep: [BYTES, null] }], [i, Buffer.alloc(0)], [i, Buffer.alloc(70000, i)],
  ]);
  for (const args of sent) sockets[args[0]].emit('message', ...args);
  const first = (await boxes[0].take(sent.length)).map(plain);
  const key = (args) => JSON.stringify(plain(args));
  assert.deepEqual(first.map(key).sort(), sent.map(key).sort());
  for (const [i, box] of boxes.entries()) if (i) assert.deepEqual((await box.take(sent.length)).map(plain), first, title(ALL[i]));
});

test('a burst in one turn: every kind gets all of it in order', async (t) => {
  const gw = await gateway(t, OPEN);
  const sockets = await everyKind(t, gw);
  const boxes = sockets.map((s) => inbox(s, 'message'));
  for (let n = 0; n < 100; n++) sockets[n % 2].emit('message', n, n % 5 ? 'x' : BYTES);
  const first = (await boxes[0].take(100)).map(plain);
  for (const [i, box] of boxes.entries()) if (i) assert.deepEqual((await box.take(100)).map(plain), first, title(ALL[i]));
});

test('acks come back to every kind, of binary events, too', async (t) => {
  const gw = await gateway(t, { ...OPEN, 'routes.events': 'note=none' });
  for (const socket of await everyKind(t, gw)) {
    assert.deepEqual(await ask(socket, 'note', 1), OK);
    assert.deepEqual(await ask(socket, 'note', BYTES, { deep: BYTES }), OK);
    assert.deepEqual(await ask(socket, 'other'), error('no_route', 'this event is not routed'));
  }
});

test('the gateway asks every kind for an ack, and gets binary in it', async (t) => {
  const gw = await gateway(t, OPEN, { name: 'cluster-fixture' });
  const sockets = await everyKind(t, gw);
  sockets.forEach((s, i) => s.on('question', (bytes, answer) => answer({ i, sum: [...Buffer.from(bytes)].reduce((a, b) => a + b, 0) })));
  const [answer] = await ask(sockets[0], 'ask', 'broadcast', { timeout: 4000 }, ['question', BYTES]);
  assert.equal(answer.complete, true, JSON.stringify(answer));
  const parts = answer.parts.flat().sort((a, b) => a.i - b.i);
  assert.deepEqual(parts, sockets.map((_, i) => ({ i, sum: BYTES.reduce((a, b) => a + b, 0) })));
  for (const [i, s] of sockets.entries()) {
    s.on('bytes', (done) => done(BYTES));
    const [one] = await ask(sockets[0], 'ask', 'broadcast', { rooms: [OLD.includes(ALL[i].client) ? s.io.engine.id : s.id], timeout: 4000 }, ['bytes']);
    assert.deepEqual(plain(one.parts), plain([BYTES]), title(ALL[i]));
  }
});

test('rooms: old and new clients in one; the sender is left out of others', async (t) => {
  const gw = await gateway(t, { ...OPEN, 'routes.events': 'say=room,note=others,message=all', 'routes.client_rooms': '*' });
  const sockets = await everyKind(t, gw);
  const log = sockets.map(() => []);
  sockets.forEach((s, i) => { for (const name of ['say', 'note']) s.on(name, (...args) => log[i].push([name, ...args])); });
  for (const i of [0, 4, 7]) assert.deepEqual(await ask(sockets[i], 'join', 'r'), OK);
  assert.deepEqual(await ask(sockets[0], 'say', 'r', 'in the room'), OK);
  assert.deepEqual(await ask(sockets[1], 'say', 'r', 'no'), error('not_a_member', 'you are not in this room'));
  assert.deepEqual(await ask(sockets[4], 'leave', 'r'), OK);
  assert.deepEqual(await ask(sockets[7], 'say', 'r', 'two'), OK);
  for (const i of [0, 3, 8]) assert.deepEqual(await ask(sockets[i], 'note', i), OK);
  const ends = sockets.map((s) => heard(s, 'message'));
  sockets[0].emit('message', 'end');
  await Promise.all(ends);
  sockets.forEach((s, i) => assert.deepEqual(log[i], [
    ...([0, 4, 7].includes(i) ? [['say', 'r', 'in the room']] : []), ...([0, 7].includes(i) ? [['say', 'r', 'two']] : []),
    ...[0, 3, 8].filter((n) => n !== i).map((n) => ['note', n]),
  ], title(ALL[i])));
});

test('rooms that are ids are nobody\'s to join, in the old form, too', async (t) => {
  const gw = await gateway(t, { ...OPEN, 'routes.client_rooms': '*', 'socketio.namespaces': '/,/chat' });
  const socket = await connected(t, gw, { client: '2.5', nsp: '/chat' });
  const sid = socket.io.engine.id;
  const no = error('forbidden_room', 'clients may not join or leave this room');
  for (const id of [sid, `/chat#${sid}`, `/other#${'x'.repeat(20)}`, 'A'.repeat(20)]) assert.deepEqual(await ask(socket, 'join', id), no, id);
  for (const room of ['/chat', 'a#b', `/chat#${sid}x`]) assert.deepEqual(await ask(socket, 'join', room), OK, room);
});

/* ---- namespaces */

test('namespaces: each has its own events, and one can be left', async (t) => {
  const gw = await gateway(t, { ...OPEN, 'socketio.namespaces': '/,/chat', 'routes.events': 'message=all' });
  for (const { client: version, transports } of KINDS) {
    const manager = new OLD_CLIENTS[version].Manager(gw.url, { path: gw.path, reconnection: false, transports });
    atEnd(t, () => manager.close());
    const [main, chat] = [manager.socket('/'), manager.socket('/chat')];
    await Promise.all([accepted(main), accepted(chat)]);
    const heardInMain = [];
    main.on('message', (...args) => heardInMain.push(args));
    const back = heard(chat, 'message');
    assert.deepEqual(await ask(chat, 'message', BYTES), OK);
    assert.deepEqual(plain(await back), plain([BYTES]));
    const end = heard(main, 'message');
    assert.deepEqual(await ask(main, 'message', 'end'), OK);
    await end;
    assert.deepEqual(heardInMain, [['end']]);
    chat.close();
    await gw.line(new RegExp(`msg=disconnected sid=/chat#${manager.engine.id} .*reason="client namespace disconnect"`));
    assert.deepEqual(await ask(main, 'message', 'still here'), OK);
  }
});

test('the name of a namespace is the path of a URL', async (t) => {
  const gw = await gateway(t, { ...OPEN, 'socketio.namespaces': '/,/a/*,/%C3%A9' });
  const ws = await rawWs(t, gw, 'EIO=3&transport=websocket');
  await ws.next();
  assert.equal(await ws.next(), '40');
  for (const [sent, name] of [['/a/x/../b', '/a/b'], ['/a/c?token=1&uid=é', '/a/c'], ['/é', '/%C3%A9'], ['//host/a/d', '/a/d']]) {
    ws.send(`40${sent},`);
    assert.equal(await ws.next(), `40${name},`);
    ws.send(`42${sent},["message",1]`);
    assert.equal(await ws.next(), `42${name},["message",1]`);
    ws.send(`41${sent},`);
  }
  ws.send('40/a/../../b');
  assert.equal(await ws.next(), '44/b,{"message":"Invalid namespace"}');
});

test('leaving and joining again at once: the id is the same, the socket is not', async (t) => {
  const gw = await gateway(t, { ...OPEN, 'socketio.namespaces': '/,/chat' });
  const p = await poller3(gw, '&b64=1');
  assert.deepEqual(await p.packets(1), ['40']);
  const packets = ['40/chat,', '42/chat,0["message",1]', '41/chat,', '40/chat,', '42/chat,1["message",2]'];
  assert.equal((await p.post(textPayload(...packets.map((x) => x)))).body, 'ok');
  assert.deepEqual(await p.packets(5), ['40/chat,', '40/chat,', '42/chat,["message",1]', '42/chat,["message",2]', '43/chat,1[{"status":"ok"}]']);
});

/* ---- coming back */

for (const kind of KINDS) {
  test(`${title(kind)}: comes back when the gateway does, in all its namespaces`, async (t) => {
    const port = await freePort();
    const settings = { ...OPEN, 'gateway.port': port, 'socketio.namespaces': '/,/chat' };
    const first = await gateway(t, settings);
    const manager = new OLD_CLIENTS[kind.client].Manager(first.url, { path: first.path, transports: kind.transports, reconnectionDelay: 20, reconnectionDelayMax: 50 });
    atEnd(t, () => manager.close());
    const [main, chat] = [manager.socket('/'), manager.socket('/chat')];
    await Promise.all([accepted(main), accepted(chat)]);
    const before = manager.engine.id;
    const again = [heard(main, 'connect', 10000), heard(chat, 'connect', 10000)];
    await first.stop();
    await gateway(t, settings);
    await Promise.all(again);
    assert.notEqual(manager.engine.id, before);
    assert.deepEqual(await ask(main, 'message', 1), OK);
    assert.deepEqual(await ask(chat, 'message', BYTES), OK);
  });

  test(`${title(kind)}: the server sends it away, the client closes`, async (t) => {
    const gw = await gateway(t, OPEN, { name: 'cluster-fixture' });
    const watcher = await connected(t, gw);
    for (const close of [false, true]) {
      const socket = await connected(t, gw, kind);
      const sid = socket.io.engine.id;
      const gone = heard(socket, 'disconnect');
      await ask(watcher, 'ask', 'disconnect', { rooms: [sid], close });
      assert.deepEqual(await gone, ['io server disconnect']);
      await gw.line(new RegExp(`msg=disconnected sid=${sid} .*reason="server namespace disconnect"`));
    }
    const socket = await connected(t, gw, kind);
    const sid = socket.io.engine.id;
    socket.close();
    await gw.line(new RegExp(`msg=disconnected sid=${sid} `));
  });
}

test('what an old client sends is byte for byte what others get', async (t) => {
  const gw = await gateway(t, OPEN);
  const [ws, other] = [await rawWs(t, gw, 'EIO=3&transport=websocket'), await rawSio(t, gw)];
  await ws.next();
  await ws.next();
  const odd = '["message",12345678901234567890,{"b":1,"a":2,"a":3},"\\u0000\\ud800"]';
  ws.send(`42${odd}`);
  assert.equal(await other.message(), `42${odd}`);
  assert.equal(await ws.next(), `42${odd}`);
  ws.send('451-["message",{"_placeholder":true,"num":0}]', Buffer.from([4, 1, 2]));
  for (const [to, bytes] of [[other, [1, 2]], [ws, [4, 1, 2]]]) {
    assert.equal(await to.message(), '451-["message",{"_placeholder":true,"num":0}]');
    assert.deepEqual(await to.message(), Buffer.from(bytes));
  }
});
