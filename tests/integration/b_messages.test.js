/* What becomes of a message: routes, rooms, acks, binary, namespaces, sizes, and bytes kept as sent. */
'use strict';
const { test } = require('node:test');
const assert = require('node:assert');
const { accepted, ask, client, CLIENTS, connected, gateway, heard, inbox, poller, rawSio, refused, token, within } = require('./harness');

const OPEN = { 'auth.mode': 'none', 'auth.secret': null };
const OK = [{ status: 'ok' }];
const WAYS = [['websocket'], ['polling']];

const error = (code, message) => [{ status: 'error', code, message }];

const routed = (t, events, more) => gateway(t, { ...OPEN, 'routes.events': events, ...more });

/* ---- routes */

test('all: every client of the namespace gets it, the sender too, in order', async (t) => {
  const gw = await gateway(t, OPEN);
  const sockets = Array.from({ length: 100 }, (_, i) => client(t, gw, { transports: WAYS[i % 10 ? 0 : 1], client: i % 3 ? '4.x' : '3.x' }));
  await Promise.all(sockets.map(accepted));
  const boxes = sockets.map((s) => inbox(s, 'message'));
  for (let n = 0; n < 20; n++) sockets[n].emit('message', n, 'to all');
  const first = await boxes[0].take(20);
  assert.deepEqual(first.map(([n]) => n).sort((a, b) => a - b), Array.from({ length: 20 }, (_, i) => i));
  for (const box of boxes.slice(1)) assert.deepEqual(await box.take(20), first, 'one order for all');
});

test('others: everybody but the sender', async (t) => {
  const gw = await routed(t, 'message=all,note=others');
  const [ann, bob] = [await connected(t, gw), await connected(t, gw, { transports: ['polling'] })];
  const [toAnn, toBob] = [[], []];
  for (const [socket, box] of [[ann, toAnn], [bob, toBob]]) {
    socket.onAny((...args) => box.push(args));
  }
  assert.deepEqual(await ask(ann, 'note', 1), OK);
  const both = [heard(ann, 'message'), heard(bob, 'message')];
  ann.emit('message', 'sentinel');
  await Promise.all(both);
  assert.deepEqual(toAnn, [['message', 'sentinel']]);
  assert.deepEqual(toBob, [['note', 1], ['message', 'sentinel']]);
});

test('none: taken and acked, and nobody gets it', async (t) => {
  const gw = await routed(t, 'log:*=none,message=all');
  const socket = await connected(t, gw);
  const all = [];
  socket.onAny((...args) => all.push(args));
  assert.deepEqual(await ask(socket, 'log:x', 1), OK);
  const end = heard(socket, 'message');
  socket.emit('message', 'sentinel');
  await end;
  assert.deepEqual(all, [['message', 'sentinel']]);
});

test('an event without route is refused, and so is a reserved name', async (t) => {
  const gw = await gateway(t, OPEN);
  const socket = await connected(t, gw);
  assert.deepEqual(await ask(socket, 'other', 1), error('no_route', 'this event is not routed'));
  assert.deepEqual(await ask(socket, 'x'.repeat(300), 1), error('no_route', 'the event\'s name is too long'));
  assert.deepEqual(await ask(socket, 'authenticate', {}), error('no_route', 'this event is not routed'), 'mode none asks nobody');
  assert.deepEqual(await ask(socket, 'join', 'a'), error('no_route', 'this event is not routed'), 'no client_rooms: an event like others');
});

test('patterns, namespaces and the first match decide', async (t) => {
  const gw = await routed(t, '/chat say*=none,say:*=all,*=others', { 'socketio.namespaces': '/,/chat' });
  const main = await rawSio(t, gw);
  const chat = await rawSio(t, gw, { nsp: '/chat' });
  const chat2 = await rawSio(t, gw, { nsp: '/chat' });
  main.send('42["say:x"]');
  assert.equal(await main.message(), '42["say:x"]');
  chat.send('42/chat,["say:x"]', '42/chat,["other"]');
  assert.equal(await chat2.message(), '42/chat,["other"]');
  main.send('42["say:y"]');
  assert.equal(await main.message(), '42["say:y"]', 'nothing from /chat came to /');
});

test('a numeric event name is legal and matched by its text', async (t) => {
  const gw = await routed(t, '17=all');
  const ws = await rawSio(t, gw);
  ws.send('42[17,"x"]');
  assert.equal(await ws.message(), '42[17,"x"]');
});

/* ---- rooms */

const ROOMS = { 'routes.client_rooms': 'room:*,lobby', 'routes.events': 'say=room,message=all' };

test('room: only members get it, and only members may send', async (t) => {
  const gw = await gateway(t, { ...OPEN, ...ROOMS });
  for (const transports of WAYS) {
    const [ann, bob, eve] = [await connected(t, gw, { transports }), await connected(t, gw, { transports }), await connected(t, gw, { transports })];
    const all = { ann: [], bob: [], eve: [] };
    for (const [name, s] of Object.entries({ ann, bob, eve })) s.onAny((...args) => all[name].push(args));
    assert.deepEqual(await ask(ann, 'join', 'room:1'), OK);
    assert.deepEqual(await ask(bob, 'join', 'room:1'), OK);
    assert.deepEqual(await ask(bob, 'join', 'room:1'), OK, 'twice is once');
    assert.deepEqual(await ask(ann, 'say', 'room:1', 'hi'), OK);
    assert.deepEqual(await ask(eve, 'say', 'room:1', 'let me in'), error('not_a_member', 'you are not in this room'));
    assert.deepEqual(await ask(bob, 'leave', 'room:1'), OK);
    assert.deepEqual(await ask(bob, 'leave', 'room:1'), OK);
    assert.deepEqual(await ask(ann, 'say', 'room:1', 'alone'), OK);
    assert.deepEqual(await ask(bob, 'say', 'room:1', 'x'), error('not_a_member', 'you are not in this room'));
    const ends = [ann, bob, eve].map((s) => heard(s, 'message'));
    ann.emit('message', 'end');
    await Promise.all(ends);
    assert.deepEqual(all, {
      ann: [['say', 'room:1', 'hi'], ['say', 'room:1', 'alone'], ['message', 'end']],
      bob: [['say', 'room:1', 'hi'], ['message', 'end']],
      eve: [['message', 'end']],
    });
    for (const s of [ann, bob, eve]) s.disconnect();
  }
});

test('join, leave and room events are refused in words', async (t) => {
  const gw = await gateway(t, { ...OPEN, ...ROOMS, 'routes.client_rooms': '*', 'socketio.max_rooms': 3 });
  const narrow = await gateway(t, { ...OPEN, ...ROOMS });
  const other = await connected(t, gw);
  const socket = await connected(t, gw);
  const bad = error('bad_room', 'the first argument must name a room');
  for (const args of [[], [7], [null], [''], ['x'.repeat(1000)], ['a\nb'], [['lobby']], [{}]]) {
    assert.deepEqual(await ask(socket, 'join', ...args), bad, JSON.stringify(args).slice(0, 40));
    assert.deepEqual(await ask(socket, 'leave', ...args), bad);
    assert.deepEqual(await ask(socket, 'say', ...args), bad);
  }
  const forbidden = error('forbidden_room', 'clients may not join or leave this room');
  for (const room of ['user:ann', 'user:', other.id, socket.id])
    assert.deepEqual(await ask(socket, 'join', room), forbidden, room);
  assert.deepEqual(await ask(await connected(t, narrow), 'join', 'other'), forbidden);
  for (const room of ['a', 'b', 'c']) assert.deepEqual(await ask(socket, 'join', room), OK);
  assert.deepEqual(await ask(socket, 'join', 'd'), error('too_many_rooms', 'you are in too many rooms'));
  assert.deepEqual(await ask(socket, 'leave', 'a'), OK);
  assert.deepEqual(await ask(socket, 'join', 'd'), OK);
});

test('rooms of one namespace are not those of another', async (t) => {
  const gw = await gateway(t, { ...OPEN, ...ROOMS, 'socketio.namespaces': '/,/chat' });
  const ws = await rawSio(t, gw);
  const chat = await rawSio(t, gw, { nsp: '/chat' });
  ws.send('420["join","lobby"]');
  assert.equal(await ws.message(), '430[{"status":"ok"}]');
  chat.send('42/chat,0["say","lobby","x"]');
  assert.match(await chat.message(), /^43\/chat,0\[\{"status":"error","code":"not_a_member"/);
});

test('a token\'s subject is the room user:<sub>, the configured claim names more', async (t) => {
  const gw = await gateway(t, { ...ROOMS, 'auth.rooms_claim': 'groups' });
  const [ann1, ann2, bob] = [
    await connected(t, gw, { auth: { token: await token({ sub: 'ann', groups: ['red', 'blue'] }) } }),
    await connected(t, gw, { auth: { token: await token({ sub: 'ann', groups: 'red' }) }, transports: ['polling'] }),
    await connected(t, gw, { auth: { token: await token({ sub: 'bob' }) } }),
  ];
  const boxes = [ann1, ann2, bob].map((s) => inbox(s, 'say'));
  assert.deepEqual(await ask(ann1, 'say', 'user:ann', 'to my other screens'), OK);
  for (const box of boxes.slice(0, 2)) assert.deepEqual(await box.next(), ['user:ann', 'to my other screens']);
  assert.equal((await ask(bob, 'say', 'user:ann', 'x'))[0].code, 'not_a_member');
  assert.equal((await ask(bob, 'say', 'red', 'x'))[0].code, 'not_a_member');
  assert.equal((await ask(ann2, 'say', 'blue', 'x'))[0].code, 'not_a_member');
  assert.deepEqual(await ask(ann1, 'say', 'blue', 'only me'), OK);
  assert.deepEqual(await ask(ann2, 'say', 'red', 'both'), OK);
  assert.deepEqual(await boxes[0].take(2), [['blue', 'only me'], ['red', 'both']]);
  assert.deepEqual(await boxes[1].next(), ['red', 'both']);
  assert.deepEqual(await ask(bob, 'say', 'user:bob', 'end'), OK);
  assert.deepEqual(await boxes[2].next(), ['user:bob', 'end'], 'bob got nothing before');
});

/* ---- acks */

test('emitWithAck resolves with ok or the error object', async (t) => {
  const gw = await gateway(t, OPEN);
  for (const transports of WAYS) {
    const socket = await connected(t, gw, { transports });
    assert.deepEqual(await socket.timeout(5000).emitWithAck('message', 'x'), { status: 'ok' });
    assert.equal((await socket.timeout(5000).emitWithAck('nothing', 'x')).code, 'no_route');
  }
});

test('acks carry the id that was asked with, also large ones, and come for each namespace', async (t) => {
  const gw = await routed(t, '*=none', { 'socketio.namespaces': '/,/chat' });
  const ws = await rawSio(t, gw);
  ws.send('40/chat,');
  assert.match(await ws.message(), /^40\/chat/);
  for (const id of ['0', '1', '4294967296', '9007199254740991']) {
    ws.send(`42${id}["x"]`, `42/chat,${id}["x"]`);
    assert.equal(await ws.message(), `43${id}[{"status":"ok"}]`);
    assert.equal(await ws.message(), `43/chat,${id}[{"status":"ok"}]`);
  }
});

/* ---- binary */

test('binary goes both ways on both transports and both client versions', async (t) => {
  const gw = await gateway(t, OPEN);
  const sockets = [];
  for (const version of Object.keys(CLIENTS))
    for (const transports of WAYS) sockets.push(await connected(t, gw, { client: version, transports }));
  const boxes = sockets.map((s) => inbox(s, 'message'));
  const small = Buffer.from([0, 1, 2, 0x1e, 0x80, 0xff]);
  const large = Buffer.alloc(100000, (i) => i & 0xff).map((_, i) => (i * 7) & 0xff);
  for (const sender of sockets) {
    assert.deepEqual(await ask(sender, 'message', 'pic', small, { deep: [{ b: large }], n: 1 }, Buffer.alloc(0)), OK);
    for (const box of boxes) {
      const [name, a, b, empty] = await box.next();
      assert.equal(name, 'pic');
      assert.deepEqual(Buffer.from(a), small);
      assert.deepEqual(Buffer.from(b.deep[0].b), large);
      assert.equal(b.n, 1);
      assert.equal(Buffer.from(empty).length, 0);
    }
  }
});

test('attachments keep their order, 10 at most', async (t) => {
  const gw = await gateway(t, OPEN);
  const ws = await rawSio(t, gw);
  const holes = (n) => Array.from({ length: n }, (_, num) => `{"_placeholder":true,"num":${num}}`).join();
  ws.send(`4510-["message",${holes(10)}]`);
  for (let i = 0; i < 10; i++) ws.send(Buffer.from([i]));
  assert.equal(await ws.message(), `4510-["message",${holes(10)}]`);
  for (let i = 0; i < 10; i++) assert.deepEqual(await ws.message(), Buffer.from([i]));
  ws.send(`4511-["message",${holes(11)}]`);
  await ws.end();
});

for (const [name, frames] of Object.entries({
  'text while attachments are due': ['451-["message",{"_placeholder":true,"num":0}]', '42["message"]'],
  'an attachment that nobody announced': [Buffer.from([1])],
  'a placeholder out of range': ['451-["message",{"_placeholder":true,"num":1}]', Buffer.from([1])],
  'no attachments in a binary event': ['450-["message"]'],
  'a reserved event name': ['42["disconnect"]'],
  'an event for a namespace that is not joined': ['42/chat,["message"]'],
  'a second CONNECT': ['40'],
  'a CONNECT_ERROR from a client': ['44{"message":"x"}'],
  'an unknown packet type': ['47'],
  'an empty event': ['42[]'],
  'JSON that is none': ['42["message",tru]'],
  'bytes behind the JSON': ['42["message"]x'],
  'an empty message': ['4'],
})) {
  test(`a violation closes the connection: ${name}`, async (t) => {
    const gw = await gateway(t, { ...OPEN, 'socketio.namespaces': '/,/chat' });
    const ws = await rawSio(t, gw);
    ws.send(...frames);
    await ws.end();
    const p = await (await poller(gw)).connect();
    await p.post(frames.map((f) => (typeof f === 'string' ? f : `b${f.toString('base64')}`)).join('\x1e'));
    assert.equal((await p.get()).body, '6\x1e1', 'polling is told at its next poll');
    assert.equal((await p.get()).status, 400);
    await gw.line(/msg=disconnected .*transport=websocket reason="?(protocol|parse) error/);
    await gw.line(/msg=disconnected .*transport=polling reason="?(protocol|parse) error/);
  });
}

/* ---- namespaces */

test('several namespaces on one connection, patterns, and one that is not allowed', async (t) => {
  const gw = await gateway(t, { ...OPEN, 'socketio.namespaces': '/,/room-*' });
  for (const version of Object.keys(CLIENTS)) {
    const { Manager } = require(version === '4.x' ? 'socket.io-client' : 'socket.io-client-3');
    const manager = new Manager(gw.url, { transports: ['websocket'], reconnection: false });
    const sockets = ['/', '/room-1', '/room-2'].map((n) => manager.socket(n));
    await Promise.all(sockets.map(accepted));
    assert.equal(new Set(sockets.map((s) => s.id)).size, 3);
    const all = sockets.map((s) => { const seen = []; s.onAny((...a) => seen.push(a)); return seen; });
    for (const s of sockets) assert.deepEqual(await ask(s, 'message', s.nsp), OK);
    const ends = sockets.map((s) => heard(s, 'message'));
    for (const s of sockets) s.emit('message', 'end');
    await Promise.all(ends);
    assert.deepEqual(all, sockets.map((s) => [['message', s.nsp], ['message', 'end']]));

    const other = manager.socket('/other');
    assert.equal((await refused(other)).message, 'Invalid namespace');
    const left = heard(sockets[1], 'disconnect');
    sockets[1].disconnect();
    assert.equal((await left)[0], 'io client disconnect');
    assert.deepEqual(await ask(sockets[2], 'message', 'the others stay'), OK);
    sockets[1].connect();
    await accepted(sockets[1]);
    const engine = manager.engine;
    const closed = heard(engine, 'close');
    for (const s of [...sockets, other]) s.disconnect();
    await closed;
  }
});

test('namespaces per connection are limited', async (t) => {
  const gw = await gateway(t, { ...OPEN, 'socketio.namespaces': '/*', 'socketio.max_namespaces': 3 });
  const ws = await rawSio(t, gw);
  ws.send('40/1,', '40/2,', '40/3,');
  assert.match(await ws.message(), /^40\/1,/);
  assert.match(await ws.message(), /^40\/2,/);
  assert.equal(await ws.message(), '44/3,{"message":"Too many namespaces"}');
  ws.send('41/1,', '40/3,');
  assert.match(await ws.message(), /^40\/3,/);
});

/* ---- sizes and bytes */

test('1 MB messages, text and binary, on both transports', async (t) => {
  const gw = await gateway(t, { ...OPEN, 'gateway.max_payload': 2000000 });
  const sockets = [await connected(t, gw), await connected(t, gw, { transports: ['polling'] }), await connected(t, gw, { client: '3.x', transports: ['polling'] })];
  const boxes = sockets.map((s) => inbox(s, 'message'));
  const text = 'a€👋'.repeat(1 << 17); /* 8 bytes each: 1 MiB */
  const bytes = Buffer.alloc(1 << 20, 'peal');
  for (const sender of sockets) {
    sender.emit('message', text);
    sender.emit('message', bytes);
    for (const box of boxes) {
      assert.ok((await box.next())[0] === text);
      assert.ok(Buffer.from((await box.next())[0]).equals(bytes));
    }
  }
});

test('more than maxPayload closes a WebSocket with 1009 and is 413 on polling', async (t) => {
  const gw = await gateway(t, { ...OPEN, 'gateway.max_payload': 5000 });
  const fits = `42["message","${'x'.repeat(5000 - 16)}"]`;
  const ws = await rawSio(t, gw);
  assert.equal(ws.handshake.maxPayload, 5000);
  ws.send(fits);
  assert.match(await ws.message(), /^42\["message","xxx/);
  ws.send(`${fits} `);
  assert.equal((await ws.end()).code, 1009);
  const cut = await rawSio(t, gw);
  cut.ws.send(Buffer.alloc(4000), { fin: false });
  cut.ws.send(Buffer.alloc(1001), { fin: true });
  assert.equal((await cut.end()).code, 1009);
  const p = await (await poller(gw)).connect();
  assert.equal((await p.post(fits)).body, 'ok');
  assert.match((await p.packets(1))[0], /^42\["message","xxx/);
  assert.equal((await p.post(`${fits} `)).status, 413);
  assert.equal((await p.post('42["message",1]')).body, 'ok', 'the session lives on');
  assert.deepEqual(await p.packets(1), ['42["message",1]']);
});

/* The gateway never writes JSON anew: what a client sends is what the others get. */
const BYTES = {
  'big integers': '12345678901234567890123456789,-0,1e400,0.1000000000000000055511151231257827',
  spaces: '{ "a" : [ 1 , 2 ] }',
  escapes: '"\\u00e9\\/\\u0041\\n"',
  'escaped control characters': '"\\u0000\\u001e\\u007f"',
  'a lone surrogate, escaped': '"\\ud800","\\udc00\\ud800"',
  'the same key twice': '{"a":1,"a":2,"__proto__":{"x":1}}',
  unicode: '"grüß 👋 \u2028\u2029 \u{10ffff} e\u0301"',
  'something like a placeholder': '{"_placeholder":true,"num":0}',
  nothing: 'null,true,false,"",[],{}',
};

test('JSON is passed on byte for byte', async (t) => {
  const gw = await gateway(t, OPEN);
  const ws = await rawSio(t, gw);
  const p = await (await poller(gw)).connect();
  for (const [name, json] of Object.entries(BYTES)) {
    const packet = `42["message",${json}]`;
    ws.send(packet);
    assert.equal(await ws.message(), packet, name);
    assert.deepEqual(await p.packets(1), [packet], name);
    assert.equal((await p.post(packet)).body, 'ok');
    assert.equal(await ws.message(), packet, name);
    assert.deepEqual(await p.packets(1), [packet], name);
  }
});

test('text that is not UTF-8 ends the connection', async (t) => {
  const gw = await gateway(t, OPEN);
  for (const bytes of [[0xff], [0xed, 0xa0, 0x80], [0xc0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82]]) {
    const body = Buffer.concat([Buffer.from('42["message","'), Buffer.from(bytes), Buffer.from('"]')]);
    const ws = await rawSio(t, gw);
    ws.ws.send(body, { binary: false });
    assert.equal((await ws.end()).code, 1007);
    const p = await (await poller(gw)).connect();
    assert.equal((await p.post(body)).status, 400);
    assert.equal((await p.get()).status, 400);
  }
});

test('JSON may be as deep as configured, and no deeper', async (t) => {
  const gw = await gateway(t, { ...OPEN, 'socketio.max_json_depth': 64 });
  const nested = (n) => `42["message",${'['.repeat(n - 1)}${']'.repeat(n - 1)}]`;
  const ws = await rawSio(t, gw);
  ws.send(nested(64));
  assert.equal(await ws.message(), nested(64));
  ws.send(nested(65));
  await ws.end();
  const deep = await rawSio(t, gw);
  deep.send(`42["message",${'{"a":'.repeat(100000)}`);
  await deep.end();
});

test('a client that leaves hears nothing more and is heard no more', async (t) => {
  const gw = await gateway(t, OPEN);
  const [ann, bob] = [await connected(t, gw), await connected(t, gw)];
  const box = inbox(bob, 'message');
  ann.disconnect();
  await gw.line(/msg=disconnected .*reason="client namespace disconnect"/);
  assert.deepEqual(await ask(bob, 'message', 'alone'), OK);
  assert.deepEqual(await box.next(), ['alone']);
  ann.connect();
  await accepted(ann);
  bob.emit('message', 'again');
  assert.deepEqual(await heard(ann, 'message'), ['again']);
});

test('200 clients: each message reaches each of them exactly once, in one order', async (t) => {
  const gw = await gateway(t, OPEN);
  const all = await Promise.all(Array.from({ length: 200 }, () => rawSio(t, gw)));
  for (let i = 0; i < 5; i++) all[i].send(`42["message",${i}]`);
  const orders = await within(Promise.all(all.map(async (ws) => {
    const got = [];
    for (let i = 0; i < 5; i++) got.push(await ws.message());
    return got.join();
  })), 'all messages at all clients');
  assert.equal(new Set(orders).size, 1);
  assert.equal(new Set(orders[0].split(',42')).size, 5);
});
