/* Who is let in, who is not and what they hear: connect, event and either mode, refresh, expiry. */
'use strict';
const { test } = require('node:test');
const assert = require('node:assert');
const { createHmac } = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const {
  accepted, ask, client, connected, gateway, heard, inbox, keyPair, now, poller, rawSio, rawWs, refused, request,
  SECRET, tempDir, token,
} = require('./harness');

const part = (o) => Buffer.from(typeof o === 'string' ? o : JSON.stringify(o)).toString('base64url');
const hmac = (text, key) => createHmac('sha256', key).update(text).digest('base64url');
const claims = (more) => ({ sub: 'mallory', iat: now(), exp: now() + 600, ...more });

/* What no honest library makes. */
function forge(header, payload, key) {
  const text = `${part(header)}.${part(payload)}`;
  return `${text}.${key === undefined ? '' : hmac(text, key)}`;
}

const refusal = (message, code = 'invalid_token') => ({ message, code, type: 'UnauthorizedError' });

/* ---- sources of the token */

/* Where a client can put its token, and the setting that switches the place off. */
const SOURCES = {
  'CONNECT packet': { put: (tok) => ({ auth: { token: tok } }), off: { 'auth.from_connect': false } },
  'CONNECT packet, by function': { put: (tok) => ({ auth: (cb) => cb({ token: tok }) }), off: { 'auth.from_connect': false } },
  query: { put: (tok) => ({ query: { token: tok } }), off: { 'auth.from_query': false } },
  'Authorization header': { put: (tok) => ({ extraHeaders: { Authorization: `Bearer ${tok}` } }), off: { 'auth.from_header': false } },
  cookie: { put: (tok) => ({ extraHeaders: { Cookie: `a=b; session=${tok}` } }), on: { 'auth.cookie': 'session' }, off: {} },
};

for (const [name, source] of Object.entries(SOURCES)) {
  test(`token in the ${name}: taken, and not if switched off`, async (t) => {
    const good = await token();
    const on = await gateway(t, source.on);
    for (const transports of [['websocket'], ['polling'], ['polling', 'websocket']])
      await connected(t, on, { ...source.put(good), transports });

    const off = await gateway(t, source.off);
    const error = await refused(client(t, off, source.put(good)));
    assert.equal(error.message, 'Authentication error');
    assert.deepEqual(error.data, refusal('jwt must be provided', 'credentials_required'));
  });
}

test('the token of the CONNECT packet counts before the handshake\'s, the header before the query', async (t) => {
  const gw = await gateway(t);
  const good = await token();
  await connected(t, gw, { auth: { token: good }, query: { token: 'rubbish' } });
  assert.equal((await refused(client(t, gw, { auth: { token: 'rubbish' }, query: { token: good } }))).data.message, 'jwt malformed');
  await connected(t, gw, { query: { token: 'rubbish' }, extraHeaders: { Authorization: `bearer ${good}` } });
});

test('a token at the handshake is good for every namespace of the connection', async (t) => {
  const gw = await gateway(t, { 'socketio.namespaces': '/,/chat' });
  const ws = await rawSio(t, gw, { query: `&token=${await token()}` });
  ws.send('40/chat,');
  assert.match(await ws.message(), /^40\/chat,\{"sid":/);
});

test('each namespace of a connection may bring its own token', async (t) => {
  const gw = await gateway(t, { 'socketio.namespaces': '/,/chat' });
  const ws = await rawSio(t, gw, { auth: { token: await token() } });
  ws.send('40/chat,');
  assert.equal(await ws.message(), `44/chat,${JSON.stringify({ message: 'Authentication error', data: refusal('jwt must be provided', 'credentials_required') })}`);
  ws.send(`40/chat,${JSON.stringify({ token: await token({ sub: 'bob' }) })}`);
  assert.match(await ws.message(), /^40\/chat,\{"sid":/);
});

/* ---- refusals in connect mode */

const RULES = { 'auth.issuer': 'https://login.example', 'auth.audience': 'chat,admin' };
const FITTING = { iss: 'https://login.example', aud: ['web', 'chat'] };

/* name: [token maker, message, code] */
const REFUSALS = {
  missing: [() => undefined, 'jwt must be provided', 'credentials_required'],
  null: [() => null, 'jwt must be provided', 'credentials_required'],
  'not a string': [() => 17, 'jwt malformed', 'credentials_bad_format'],
  empty: [() => '', 'jwt must be provided', 'credentials_required'],
  'two parts': [() => 'abc.def', 'jwt malformed', 'credentials_bad_format'],
  'four parts': [async () => `${await token(FITTING)}.x`, 'jwt malformed', 'credentials_bad_format'],
  expired: [() => token({ ...FITTING, exp: now() - 1 }), 'jwt expired'],
  'expired long ago': [() => token({ ...FITTING, iat: 1, exp: 2 }), 'jwt expired'],
  'another secret': [() => token(FITTING, { key: 'another-secret-0123456789abcdefgh' }), 'invalid signature'],
  'a changed payload': [async () => {
    const [h, , s] = (await token(FITTING)).split('.');
    return `${h}.${part(claims(FITTING))}.${s}`;
  }, 'invalid signature'],
  'no signature': [async () => `${(await token(FITTING)).split('.').slice(0, 2).join('.')}.`, 'jwt signature is required'],
  'another audience': [() => token({ ...FITTING, aud: 'billing' }), 'jwt audience invalid'],
  'no audience': [() => token({ iss: FITTING.iss }), 'jwt audience invalid'],
  'another issuer': [() => token({ ...FITTING, iss: 'https://evil.example' }), 'jwt issuer invalid'],
  'no issuer': [() => token({ aud: 'chat' }), 'jwt issuer invalid'],
  'not active yet': [() => token({ ...FITTING, nbf: now() + 60 }), 'jwt not active'],
  'issued in the future': [() => token({ ...FITTING, iat: now() + 60 }), 'jwt issued in the future'],
  'alg none': [() => forge({ alg: 'none', typ: 'JWT' }, claims(FITTING)), 'jwt signature is required'],
  'alg none with a signature': [() => forge({ alg: 'none', typ: 'JWT' }, claims(FITTING), SECRET), 'invalid algorithm'],
  'alg nOnE': [() => forge({ alg: 'nOnE' }, claims(FITTING), SECRET), 'invalid algorithm'],
  'no alg': [() => forge({ typ: 'JWT' }, claims(FITTING), SECRET), 'invalid algorithm'],
  'another HS alg than the key is for': [() => token(FITTING, { alg: 'HS512' }), 'invalid algorithm'],
  'an alg nobody knows': [() => forge({ alg: 'HS1024' }, claims(FITTING), SECRET), 'invalid algorithm'],
  'crit, which we do not know': [() => forge({ alg: 'HS256', crit: ['x'], x: 1 }, claims(FITTING), SECRET), 'invalid token'],
  'exp of the wrong type': [() => forge({ alg: 'HS256' }, claims({ ...FITTING, exp: 'tomorrow' }), SECRET), 'invalid exp value'],
  'sub of the wrong type': [() => forge({ alg: 'HS256' }, claims({ ...FITTING, sub: { a: 1 } }), SECRET), 'invalid sub value'],
  'aud of the wrong type': [() => forge({ alg: 'HS256' }, claims({ ...FITTING, aud: 7 }), SECRET), 'invalid aud value'],
  'claims twice': [() => forge({ alg: 'HS256' }, `{"sub":"a","sub":"b","iss":"${FITTING.iss}","aud":"chat"}`, SECRET), 'jwt malformed', 'credentials_bad_format'],
  'a payload that is no object': [() => forge({ alg: 'HS256' }, '[1]', SECRET), 'jwt malformed', 'credentials_bad_format'],
};

test('each refusal in connect mode: message, code and type', async (t) => {
  const gw = await gateway(t, RULES);
  await connected(t, gw, { auth: { token: await token(FITTING) } });
  for (const [name, [make, message, code]] of Object.entries(REFUSALS)) {
    await t.test(name, async (t) => {
      const made = await make();
      const error = await refused(client(t, gw, { auth: made === undefined ? {} : { token: made } }));
      assert.equal(error.message, 'Authentication error');
      assert.deepEqual(error.data, refusal(message, code));
    });
  }
});

test('a refusal comes as CONNECT_ERROR and leaves the connection open, on both transports', async (t) => {
  const gw = await gateway(t);
  const text = `44${JSON.stringify({ message: 'Authentication error', data: refusal('jwt must be provided', 'credentials_required') })}`;
  const ws = await rawWs(t, gw);
  await ws.next();
  ws.send('40');
  assert.equal(await ws.message(), text);
  ws.send(`40${JSON.stringify({ token: await token() })}`);
  assert.match(await ws.message(), /^40\{"sid":/);
  const p = await poller(gw);
  await p.post('40');
  assert.deepEqual(await p.packets(1), [text]);
  await p.connect({ token: await token() });
});

test('leeway forgives as much as it says', async (t) => {
  const gw = await gateway(t, { 'auth.leeway': 30 });
  await connected(t, gw, { auth: { token: await token({ exp: now() - 10 }) } });
  await connected(t, gw, { auth: { token: await token({ nbf: now() + 10, iat: now() + 10 }) } });
  assert.equal((await refused(client(t, gw, { auth: { token: await token({ exp: now() - 40 }) } }))).data.message, 'jwt expired');
});

test('a token without exp is taken unless exp is required', async (t) => {
  const forever = await token({ exp: null });
  await connected(t, await gateway(t), { auth: { token: forever } });
  const strict = await gateway(t, { 'auth.require_exp': true });
  assert.equal((await refused(client(t, strict, { auth: { token: forever } }))).data.message, 'jwt exp required');
});

/* ---- keys and algorithms */

for (const [alg, kind] of [['RS256', 'rsa'], ['ES256', 'p256'], ['ES384', 'p384'], ['ES512', 'p521'], ['HS384'], ['HS512']]) {
  test(`${alg}: tokens of this key only`, async (t) => {
    const dir = tempDir(t);
    const long = 'x'.repeat(64);
    const mine = kind ? await keyPair(kind) : { private: long, public: long };
    const theirs = kind ? await keyPair(kind) : { private: 'y'.repeat(64) };
    fs.writeFileSync(path.join(dir, 'key'), `${mine.public.trimEnd()}\n`);
    const gw = await gateway(t, { 'auth.secret': null, 'auth.secret_file': path.join(dir, 'key'), 'auth.algorithm': alg });
    await connected(t, gw, { auth: { token: await token({}, { alg, key: mine.private }) } });
    const no = async (tok) => (await refused(client(t, gw, { auth: { token: tok } }))).data.message;
    assert.equal(await no(await token({}, { alg, key: theirs.private })), 'invalid signature');
    /* The public key is no secret: whoever has it must not be able to sign. */
    for (const key of [mine.public, mine.public.trimEnd()])
      assert.equal(await no(forge({ alg: 'HS256', typ: 'JWT' }, claims(), key)), 'invalid algorithm');
    assert.equal(await no(forge({ alg: 'none' }, claims())), 'jwt signature is required');
  });
}

test('several keys: kid picks one, alg is bound to it', async (t) => {
  const dir = tempDir(t);
  const rsa = await keyPair('rsa');
  const ec = await keyPair('p256');
  fs.writeFileSync(path.join(dir, 'r1.pem'), rsa.public);
  fs.writeFileSync(path.join(dir, 'e1.pem'), ec.public);
  const keys = JSON.stringify([
    { kid: 'r1', alg: 'RS256', file: path.join(dir, 'r1.pem') },
    { kid: 'e1', alg: 'ES256', file: path.join(dir, 'e1.pem') },
    { kid: 'h1', alg: 'HS256', secret: SECRET },
  ]);
  const gw = await gateway(t, { 'auth.secret': null, 'auth.keys': keys });
  const by = (kid, alg, key) => token({}, { alg, key, headers: kid ? { kid } : undefined });
  for (const good of [await by('r1', 'RS256', rsa.private), await by('e1', 'ES256', ec.private), await by('h1', 'HS256', SECRET)])
    await connected(t, gw, { auth: { token: good } });

  const no = async (tok) => (await refused(client(t, gw, { auth: { token: tok } }))).data.message;
  assert.equal(await no(await by('x9', 'HS256', SECRET)), 'unknown kid');
  assert.equal(await no(await by('', 'HS256', SECRET)), 'unknown kid');
  assert.equal(await no(await by('e1', 'RS256', rsa.private)), 'invalid algorithm');
  assert.equal(await no(forge({ alg: 'HS256', kid: 'r1' }, claims(), rsa.public)), 'invalid algorithm');
  assert.equal(await no(await by('r1', 'RS256', (await keyPair('rsa')).private)), 'invalid signature');
});

/* ---- event mode */

const EVENT = { 'auth.mode': 'event', 'routes.client_rooms': 'room:*' };
const unauthorized = (message, code) => ({ message, data: refusal(message, code) });

test('event mode: each refusal, then a disconnect by the server', async (t) => {
  const gw = await gateway(t, { ...EVENT, ...RULES });
  const cases = [
    [undefined, 'jwt must be a string', 'credentials_bad_format'],
    [{}, 'jwt must be a string', 'credentials_bad_format'],
    [{ token: 5 }, 'jwt must be a string', 'credentials_bad_format'],
    [{ token: '' }, 'jwt must be provided', 'credentials_required'],
    [{ token: 'a.b' }, 'jwt malformed', 'credentials_bad_format'],
    [{ token: await token({ ...FITTING, exp: now() - 5 }) }, 'jwt expired', 'invalid_token'],
    [{ token: await token(FITTING, { key: 'another-secret-0123456789abcdefgh' }) }, 'invalid signature', 'invalid_token'],
    [{ token: await token({ ...FITTING, aud: 'x' }) }, 'jwt audience invalid', 'invalid_token'],
    [{ token: forge({ alg: 'none' }, claims(FITTING)) }, 'jwt signature is required', 'invalid_token'],
  ];
  for (const transports of [['websocket'], ['polling']]) {
    for (const [arg, message, code] of cases) {
      const socket = await connected(t, gw, { transports });
      const said = heard(socket, 'unauthorized');
      const gone = heard(socket, 'disconnect');
      socket.emit('authenticate', ...(arg === undefined ? [] : [arg]));
      assert.deepEqual(await said, [unauthorized(message, code)], transports[0]);
      assert.equal((await gone)[0], 'io server disconnect');
    }
  }
});

test('event mode by polling: the last words come before the close, in an answer of their own', async (t) => {
  const gw = await gateway(t, EVENT);
  const p = await (await poller(gw)).connect();
  const pending = p.get();
  await request(gw, { path: '/' }); /* the poll has been read */
  assert.equal((await p.post('42["authenticate",{"token":"a.b"}]')).body, 'ok');
  assert.equal((await pending).body, `42${JSON.stringify(['unauthorized', unauthorized('jwt malformed', 'credentials_bad_format')])}\x1e41`);
  assert.equal((await p.get()).body, '6\x1e1');
  assert.equal((await p.get()).status, 400);
});

test('event mode: a client that asks for an ack is told there, too', async (t) => {
  const gw = await gateway(t, EVENT);
  const socket = await connected(t, gw);
  assert.deepEqual(await ask(socket, 'authenticate', { token: await token() }), [{ status: 'ok' }]);
  const other = await connected(t, gw);
  assert.deepEqual(await ask(other, 'authenticate', { token: 'a.b' }),
    [{ status: 'error', code: 'credentials_bad_format', message: 'jwt malformed' }]);
});

test('event mode: the token may be the argument itself', async (t) => {
  const gw = await gateway(t, EVENT);
  const socket = await connected(t, gw);
  const done = heard(socket, 'authenticated');
  socket.emit('authenticate', await token());
  await done;
});

test('event mode: who does not authenticate in time is told and disconnected', async (t) => {
  const gw = await gateway(t, { ...EVENT, 'auth.timeout': 300 });
  for (const transports of [['websocket'], ['polling']]) {
    const socket = client(t, gw, { transports });
    const said = heard(socket, 'unauthorized');
    const gone = heard(socket, 'disconnect');
    const begun = Date.now();
    assert.deepEqual(await said, [unauthorized('no authentication in time', 'credentials_required')]);
    assert.ok(Date.now() - begun >= 290);
    assert.equal((await gone)[0], 'io server disconnect');
    await gw.line(/msg="not authenticated" .*reason="authentication timeout" age_ms=3\d\d/);
  }
});

test('event mode: the deadline ends with authentication', async (t) => {
  const gw = await gateway(t, { ...EVENT, 'auth.timeout': 200 });
  const ws = await rawSio(t, gw);
  ws.send(`42["authenticate",${JSON.stringify({ token: await token() })}]`);
  assert.equal(await ws.message(), '42["authenticated"]');
  await refusedInTime(t, gw); /* a second socket lives and dies meanwhile */
  ws.send('42["message","still here"]');
  assert.equal(await ws.message(), '42["message","still here"]');
});

async function refusedInTime(t, gw) {
  const ws = await rawSio(t, gw);
  assert.match(await ws.message(), /^42\["unauthorized",\{"message":"no authentication in time"/);
  assert.equal(await ws.message(), '41');
  await ws.end();
}

test('before authentication a socket hears nothing and is in no room', async (t) => {
  const gw = await gateway(t, EVENT);
  const pass = await token({ sub: 'ann' });
  const ann = await connected(t, gw);
  assert.deepEqual(await ask(ann, 'authenticate', { token: pass }), [{ status: 'ok' }]);
  const waiting = await rawSio(t, gw);
  assert.deepEqual(await ask(ann, 'message', 'unheard'), [{ status: 'ok' }]);
  waiting.send(`42["authenticate",${JSON.stringify({ token: pass })}]`);
  assert.equal(await waiting.message(), '42["authenticated"]');
  assert.deepEqual(await ask(ann, 'message', 'heard'), [{ status: 'ok' }]);
  assert.equal(await waiting.message(), '42["message","heard"]', 'nothing from before came late');
});

test('before authentication every other event is refused and goes nowhere', async (t) => {
  const gw = await gateway(t, { ...EVENT, 'routes.events': 'message=all,note=others' });
  const ann = await connected(t, gw);
  await ask(ann, 'authenticate', { token: await token() });
  const box = inbox(ann, 'message');
  const waiting = await connected(t, gw);
  const no = [{ status: 'error', code: 'credentials_required', message: 'authenticate first' }];
  for (const args of [['message', 'x'], ['note', 'x'], ['join', 'room:1'], ['leave', 'room:1'], ['whatever']])
    assert.deepEqual(await ask(waiting, ...args), no);
  await ask(ann, 'message', 'sentinel');
  assert.deepEqual(await box.next(), ['sentinel']);
});

test('before authentication a connection has a budget of bytes and of packets', async (t) => {
  const gw = await gateway(t, { ...EVENT, 'auth.pending_max_bytes': 2000, 'auth.pending_max_packets': 5 });
  const many = await rawSio(t, gw); /* CONNECT was one packet */
  for (let i = 0; i < 4; i++) many.send('42["message",1]');
  many.send('4270["message",1]');
  await many.end();
  const sums = await rawSio(t, gw);
  for (let i = 0; i < 2; i++) sums.send(`42["message","${'x'.repeat(1000)}"]`);
  await sums.end();
  await gw.line(/reason="too much sent before authentication"/);
  const large = await rawSio(t, gw);
  large.send(`42["message","${'x'.repeat(4000)}"]`);
  assert.equal((await large.end()).code, 1009);
  const p = await poller(gw);
  assert.equal((await p.post(`42["message","${'x'.repeat(4000)}"]`)).status, 413);
  /* Once authenticated, the budget is gone. */
  const ok = await rawSio(t, gw);
  ok.send(`42["authenticate",${JSON.stringify({ token: await token() })}]`);
  assert.equal(await ok.message(), '42["authenticated"]');
  const large4k = `42["message","${'x'.repeat(4000)}"]`;
  for (let i = 0; i < 30; i++) ok.send(large4k);
  for (let i = 0; i < 30; i++) assert.equal(await ok.message(), large4k);
});

test('connect mode: the same budget holds until a namespace is joined', async (t) => {
  const gw = await gateway(t, { 'auth.pending_max_packets': 3 });
  const ws = await rawWs(t, gw);
  await ws.next();
  for (let i = 0; i < 4; i++) ws.send('40');
  for (let i = 0; i < 3; i++) assert.match(await ws.message(), /^44/);
  await ws.end();
});

test('event mode: each namespace is authenticated for itself, and a refusal ends that one only', async (t) => {
  const gw = await gateway(t, { ...EVENT, 'socketio.namespaces': '/,/chat' });
  const ws = await rawSio(t, gw);
  const good = JSON.stringify({ token: await token() });
  ws.send(`42["authenticate",${good}]`);
  assert.equal(await ws.message(), '42["authenticated"]');
  ws.send('40/chat,');
  assert.match(await ws.message(), /^40\/chat,/);
  ws.send('42/chat,1["message","x"]');
  assert.match(await ws.message(), /^43\/chat,1\[\{"status":"error","code":"credentials_required"/);
  ws.send('42/chat,["authenticate",{"token":"a.b"}]');
  assert.match(await ws.message(), /^42\/chat,\["unauthorized",/);
  assert.equal(await ws.message(), '41/chat,');
  ws.send('42["message","/ is still there"]');
  assert.equal(await ws.message(), '42["message","/ is still there"]');
  ws.send('40/chat,');
  assert.match(await ws.message(), /^40\/chat,/);
  ws.send(`42/chat,["authenticate",${good}]`, '42/chat,["message","x"]');
  assert.equal(await ws.message(), '42/chat,["authenticated"]');
  assert.equal(await ws.message(), '42/chat,["message","x"]');
});

/* ---- either mode */

test('either mode: a token at connect, or the event; a bad token at connect is refused', async (t) => {
  const gw = await gateway(t, { 'auth.mode': 'either', 'auth.timeout': 300 });
  const early = await connected(t, gw, { query: { token: await token() } });
  assert.deepEqual(await ask(early, 'message', 'hi'), [{ status: 'ok' }]);
  const late = await connected(t, gw);
  assert.deepEqual(await ask(late, 'message', 'hi'), [{ status: 'error', code: 'credentials_required', message: 'authenticate first' }]);
  const done = heard(late, 'authenticated');
  late.emit('authenticate', { token: await token() });
  await done;
  assert.deepEqual(await ask(late, 'message', 'hi'), [{ status: 'ok' }]);
  assert.equal((await refused(client(t, gw, { auth: { token: 'a.b' } }))).data.message, 'jwt malformed');
  await refusedInTime(t, gw);
});

test('mode none: nobody is asked', async (t) => {
  const gw = await gateway(t, { 'auth.mode': 'none', 'auth.secret': null });
  assert.deepEqual(await ask(await connected(t, gw), 'message', 'hi'), [{ status: 'ok' }]);
});

/* ---- expiry on the live socket */

test('token_expiring comes before the end, and the end has a reason', async (t) => {
  const gw = await gateway(t, { 'auth.expiry_warning': 2000 });
  const exp = now() + 3;
  const socket = client(t, gw, { auth: { token: await token({ exp }) } });
  const [warning, said, gone] = [heard(socket, 'token_expiring'), heard(socket, 'unauthorized'), heard(socket, 'disconnect')];
  await accepted(socket);
  const [{ exp: told, expires_in: left }] = await warning;
  assert.equal(told, exp);
  assert.ok(left >= 1 && left <= 2, `expires_in ${left}`);
  assert.ok(Date.now() < exp * 1000);
  assert.deepEqual(await said, [unauthorized('jwt expired', 'invalid_token')]);
  assert.ok(Date.now() >= exp * 1000 - 5);
  assert.equal((await gone)[0], 'io server disconnect');
  await gw.line(/msg=disconnected .*user=ann .*reason="token expired" age_ms=\d+/);
});

test('authenticate on the live socket renews the token; only for the same subject', async (t) => {
  const gw = await gateway(t, { 'auth.expiry_warning': 1500, 'auth.rooms_claim': 'rooms', 'routes.events': 'say=room,message=all' });
  const socket = client(t, gw, { auth: { token: await token({ exp: now() + 2, rooms: ['red'] }) } });
  const warned = heard(socket, 'token_expiring');
  await accepted(socket);
  const { id } = socket;
  const refusedNote = heard(socket, 'unauthorized');
  socket.emit('authenticate', { token: await token({ sub: 'bob' }) });
  assert.deepEqual(await refusedNote, [unauthorized('jwt subject differs', 'invalid_token')]);
  assert.deepEqual(await ask(socket, 'authenticate', { token: 'a.b' }), [{ status: 'error', code: 'credentials_bad_format', message: 'jwt malformed' }]);
  assert.deepEqual(await ask(socket, 'message', 'still in'), [{ status: 'ok' }], 'a failed renewal changes nothing');
  assert.deepEqual(await ask(socket, 'say', 'red', 'x'), [{ status: 'ok' }]);

  await warned;
  const again = heard(socket, 'token_expiring');
  const renewed = heard(socket, 'authenticated');
  const exp = now() + 3;
  socket.emit('authenticate', { token: await token({ exp, rooms: ['blue'] }) });
  await renewed;
  assert.equal(socket.id, id);
  assert.deepEqual(await ask(socket, 'say', 'blue', 'x'), [{ status: 'ok' }], 'the rooms are the new token\'s');
  assert.equal((await ask(socket, 'say', 'red', 'x'))[0].code, 'not_a_member');
  assert.equal((await again)[0].exp, exp, 'the new token has its own warning');
});

test('a token that expired since the handshake opens no further namespace', async (t) => {
  const gw = await gateway(t, { 'socketio.namespaces': '/,/chat', 'auth.expiry_warning': 0 });
  const ws = await rawSio(t, gw, { query: `&token=${await token({ exp: now() + 2 })}` });
  ws.send('41');
  ws.send('40/chat,');
  assert.match(await ws.message(), /^40\/chat,/);
  assert.match(await ws.message(), /^42\/chat,\["unauthorized",\{"message":"jwt expired"/);
  assert.equal(await ws.message(), '41/chat,');
  await ws.end();
});

/* ---- the log */

test('no token, no query string and no secret in any line of the log at debug level', async (t) => {
  const gw = await gateway(t, { 'log.level': 'debug', 'auth.mode': 'either', 'auth.cookie': 'session' });
  const good = await token({ sub: 'ann' });
  const bad = await token({ sub: 'eve' }, { key: 'another-secret-0123456789abcdefgh' });
  for (const source of Object.values(SOURCES)) {
    for (const transports of [['websocket'], ['polling']]) {
      await connected(t, gw, { ...source.put(good), transports, query: { token: good, hidden: 'query-text' } });
      await refused(client(t, gw, { ...source.put(bad), transports }));
    }
  }
  const socket = await connected(t, gw);
  const gone = heard(socket, 'disconnect');
  socket.emit('authenticate', { token: bad });
  await gone;
  await request(gw, { path: `/nowhere?token=${good}&hidden=query-text` });
  await request(gw, { query: `EIO=9&transport=polling&token=${good}&hidden=query-text` });
  await request(gw, { path: `/${good}/socket.io/`, headers: { Authorization: `Bearer ${good}`, Cookie: `session=${good}` } });
  await gw.stop();
  assert.match(gw.log, /user=ann/);
  assert.match(gw.log, /level=debug/);
  for (const secret of [good, bad, ...good.split('.'), ...bad.split('.').slice(1), 'query-text', 'EIO=', 'transport=polling&', SECRET])
    assert.ok(!gw.log.includes(secret), `${secret.slice(0, 12)}… is in the log`);
});
