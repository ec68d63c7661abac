/* Old clients (socket.io-client 1.7 and 2.5, Engine.IO 3) get in, by every way and with a token from every
 * place, or hear why not. */
'use strict';
const { test } = require('node:test');
const assert = require('node:assert');
const { accepted, ask, atEnd, client, OLD_CLIENTS, connected, gateway, heard, now, refused, request, token, until, RawWs } = require('./harness');
const { EIO3, KINDS, OLD, OPEN, refusal, refusedOld, title } = require('./eio3_harness');

const OK = [{ status: 'ok' }];
const old = (t, settings) => gateway(t, { ...EIO3, ...settings });

/* ---- ways */

for (const kind of KINDS) {
  test(`${title(kind)}: connects, has the sid as its id, sends and hears`, async (t) => {
    const gw = await gateway(t, OPEN);
    const socket = await connected(t, gw, kind);
    const { engine } = socket.io;
    assert.match(engine.id, /^[\w-]{20}$/);
    assert.equal(socket.id, engine.id);
    await until(() => engine.transport.name === kind.transports.at(-1), 'upgrade');
    /* 1.7 polls in base64 here, and encodes text twice then: see docs/client.md. */
    const above = title(kind) === '1.7 by polling' ? [] : ['é€\u{1f600}', '\u0000\u2028'];
    for (const text of ['a', ...above, '\u0000"\\', 'x'.repeat(20000)]) {
      const back = heard(socket, 'message');
      assert.deepEqual(await ask(socket, 'message', text, { deep: [text] }), OK);
      assert.deepEqual(await back, [text, { deep: [text] }]);
    }
    await gw.line(new RegExp(`msg=connected sid=${engine.id} `));
  });
}

for (const version of OLD) {
  test(`${version}: the snippet of old pages, as it is`, async (t) => {
    const gw = await old(t, { 'gateway.host': 'localhost' });
    const io = OLD_CLIENTS[version];
    const good = await token();
    const run = new Function('io', 'token', `return io.connect('http://localhost:${gw.port}', {query: 'token=' + token})`);
    const socket = run(io, good);
    atEnd(t, () => socket.close());
    await accepted(socket);
    assert.deepEqual(await ask(socket, 'message', 1), OK);
  });
}

test('off by default: an old client is told so', async (t) => {
  const gw = await gateway(t);
  const r = await request(gw, { query: 'EIO=3&transport=polling' });
  assert.deepEqual([r.status, JSON.parse(r.body)], [400, { code: 5, message: 'Unsupported protocol version' }]);
  for (const kind of KINDS) await heard(client(t, gw, kind), 'connect_error');
});

test('only 3 and 4 are versions, with the switch on, too', async (t) => {
  const gw = await gateway(t, OPEN);
  for (const eio of ['', 'EIO=&', 'EIO=abc&', 'EIO=2&', 'EIO=5&', 'EIO=33&', 'EIO=3%00&', 'EIO=03&', 'EIO=3&EIO=x&']) {
    const r = await request(gw, { query: `${eio}transport=polling` });
    assert.deepEqual([r.status, r.body], [400, '{"code":5,"message":"Unsupported protocol version"}'], eio);
    await new RawWs(t, gw, `${eio}transport=websocket`).end();
  }
});

/* ---- tokens */

/* Where a client can put its token. */
const SOURCES = {
  'query, as a string': { put: (tok) => ({ query: `token=${tok}` }), off: { 'auth.from_query': false } },
  'query, as an object': { put: (tok) => ({ query: { token: tok } }), off: { 'auth.from_query': false } },
  'Authorization header': { put: (tok) => ({ extraHeaders: { Authorization: `Bearer ${tok}` } }), off: { 'auth.from_header': false } },
  cookie: { put: (tok) => ({ extraHeaders: { Cookie: `a=b; session=${tok}` } }), on: { 'auth.cookie': 'session' }, off: {} },
};

for (const [name, source] of Object.entries(SOURCES)) {
  test(`token in the ${name}: taken, and not if switched off`, async (t) => {
    const good = await token();
    const on = await old(t, source.on);
    for (const kind of KINDS) await connected(t, on, { ...source.put(good), ...kind });
    const off = await old(t, source.off);
    for (const kind of KINDS)
      assert.deepEqual(await refusedOld(client(t, off, { ...source.put(good), ...kind })), refusal('jwt must be provided', 'credentials_required'));
  });
}

test('refusals are those that new clients get as the data of connect_error', async (t) => {
  const gw = await old(t);
  const tokens = {
    expired: await token({ exp: now() - 10 }), malformed: 'rubbish',
    'of another key': await token({}, { key: 'x'.repeat(32) }), none: '',
  };
  for (const [name, bad] of Object.entries(tokens)) {
    const query = bad ? { token: bad } : {};
    const { data } = await refused(client(t, gw, { query }));
    assert.equal(data.type, 'UnauthorizedError');
    for (const kind of KINDS) assert.deepEqual(await refusedOld(client(t, gw, { ...kind, query })), data, `${name}: ${title(kind)}`);
  }
});

test('a refused client hears nothing and is not connected; the next token lets it in', async (t) => {
  const gw = await old(t);
  for (const version of OLD) {
    const socket = client(t, gw, { client: version, query: 'token=rubbish' });
    let connects = 0;
    socket.on('connect', () => connects++);
    await refusedOld(socket);
    assert.equal(connects, 0);
    socket.close();
    await connected(t, gw, { client: version, query: `token=${await token()}` });
  }
});

test('the token of a namespace\'s query counts for that namespace, the handshake\'s for the others', async (t) => {
  const gw = await old(t, { 'socketio.namespaces': '/,/admin,/chat,/bad' });
  const [ann, bob] = [await token(), await token({ sub: 'bob' })];
  for (const { client: version, transports } of KINDS) {
    const manager = new OLD_CLIENTS[version].Manager(gw.url, { path: gw.path, reconnection: false, transports, query: { token: ann } });
    atEnd(t, () => manager.close());
    const [chat, admin] = [manager.socket('/chat'), manager.socket('/admin', { query: `uid=x%20y&token=${bob}` })];
    await Promise.all([accepted(manager.socket('/')), accepted(chat), accepted(admin)]);
    const sid = manager.engine.id;
    if (version === '2.5') assert.deepEqual([chat.id, admin.id], [`/chat#${sid}`, `/admin#${sid}`]); // 1.7 tells the sid only
    await gw.line(new RegExp(`sid=${sid} ns=/ user=ann`));
    await gw.line(new RegExp(`sid=/chat#${sid} ns=/chat user=ann`));
    await gw.line(new RegExp(`sid=/admin#${sid} ns=/admin user=bob`));
    assert.deepEqual(await refusedOld(manager.socket('/none', { query: `token=${ann}` })), { message: 'Invalid namespace' });
    assert.deepEqual(await refusedOld(manager.socket('/bad', { query: 'token=rubbish' })), refusal('jwt malformed', 'credentials_bad_format'));
    assert.equal(gw.count(/token=/), 0, 'no token in the log');
  }
});

test('the switch of the CONNECT packet\'s token is that of the namespace\'s query', async (t) => {
  const gw = await old(t, { 'socketio.namespaces': '/,/admin', 'auth.from_connect': false, 'auth.from_query': false });
  for (const { client: version, transports } of KINDS) {
    const socket = client(t, gw, { client: version, transports, nsp: '/admin', query: `token=${await token()}`, forceNew: true });
    assert.deepEqual(await refusedOld(socket), refusal('jwt must be provided', 'credentials_required'));
  }
});

/* ---- modes */

for (const mode of ['event', 'either']) {
  test(`mode ${mode}: connect first, then authenticate`, async (t) => {
    const gw = await old(t, { 'auth.mode': mode });
    for (const kind of KINDS) {
      const socket = await connected(t, gw, kind);
      const [refusedAck] = await ask(socket, 'message', 1);
      assert.equal(refusedAck.code, 'credentials_required');
      const done = heard(socket, 'authenticated');
      socket.emit('authenticate', { token: await token() });
      await done;
      assert.deepEqual(await ask(socket, 'message', 1), OK);

      const bad = await connected(t, gw, kind);
      const [no, end] = [heard(bad, 'unauthorized'), heard(bad, 'disconnect')];
      bad.emit('authenticate', { token: 'rubbish' });
      assert.deepEqual((await no)[0], { message: 'jwt malformed', data: refusal('jwt malformed', 'credentials_bad_format') });
      await end;
    }
  });
}

test('mode either: a token at the handshake is taken, a bad one refused', async (t) => {
  const gw = await old(t, { 'auth.mode': 'either' });
  for (const kind of KINDS) {
    const socket = await connected(t, gw, { ...kind, query: `token=${await token()}` });
    assert.deepEqual(await ask(socket, 'message', 1), OK);
    assert.deepEqual(await refusedOld(client(t, gw, { ...kind, query: 'token=rubbish' })), refusal('jwt malformed', 'credentials_bad_format'));
  }
});

test('mode event: who does not authenticate in time is told and sent away', async (t) => {
  const gw = await old(t, { 'auth.mode': 'event', 'auth.timeout': 150 });
  for (const kind of KINDS) {
    const socket = await connected(t, gw, kind);
    const [no, end] = [heard(socket, 'unauthorized'), heard(socket, 'disconnect')];
    assert.equal((await no)[0].data.code, 'credentials_required');
    await end;
  }
});

test('a token that expires ends the live socket, with a word', async (t) => {
  const gw = await old(t, { 'auth.expiry_warning': 60000 });
  const sockets = await Promise.all(KINDS.map(async (kind) => connected(t, gw, { ...kind, query: { token: await token({ exp: now() + 2 }) } })));
  await Promise.all(sockets.map(async (s) => {
    const [no] = await Promise.all([heard(s, 'unauthorized'), heard(s, 'disconnect')]);
    assert.equal(no[0].message, 'jwt expired');
  }));
});

test('where "/" is no namespace, nothing is said of it, and others can be joined', async (t) => {
  const gw = await gateway(t, { ...OPEN, 'socketio.namespaces': '/chat' });
  for (const kind of KINDS) {
    const socket = await connected(t, gw, { ...kind, nsp: '/chat' });
    assert.deepEqual(await ask(socket, 'message', 1), OK);
  }
});
