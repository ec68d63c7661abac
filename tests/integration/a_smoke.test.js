/* The three ways an application connects, as they stand in its code, with both client versions on
 * both transports; and that what one emits comes out at every client. */
'use strict';
const { test } = require('node:test');
const assert = require('node:assert');
const { accepted, ask, CLIENTS, client, connected, gateway, heard, inbox, poller, refused, token } = require('./harness');

const WAYS = { websocket: ['websocket'], polling: ['polling'], 'polling, then websocket': ['polling', 'websocket'] };

for (const version of Object.keys(CLIENTS)) {
  for (const [way, transports] of Object.entries(WAYS)) {
    const the = { client: version, transports };

    test(`${version} by ${way}: io(url, {query: {token}})`, async (t) => {
      const gw = await gateway(t);
      const socket = await connected(t, gw, { ...the, query: { token: await token({ sub: 'ann' }) } });
      const echo = inbox(socket, 'message');
      socket.emit('message', 'hello', { n: 1 });
      assert.deepEqual(await echo.next(), ['hello', { n: 1 }]);
      assert.match(socket.id, /^[\w-]{20}$/);
    });

    test(`${version} by ${way}: io(url, {auth: {token}})`, async (t) => {
      const gw = await gateway(t);
      const socket = await connected(t, gw, { ...the, auth: { token: await token({ sub: 'ann' }) } });
      assert.deepEqual(await ask(socket, 'message', 'hello'), [{ status: 'ok' }]);
    });

    test(`${version} by ${way}: connect, then emit('authenticate', {token})`, async (t) => {
      const gw = await gateway(t, { 'auth.mode': 'event' });
      const good = await connected(t, gw, the);
      const echo = inbox(good, 'message');
      const authenticated = heard(good, 'authenticated');
      good.emit('authenticate', { token: await token({ sub: 'ann' }) });
      assert.deepEqual(await authenticated, []);
      good.emit('message', 'hello');
      assert.deepEqual(await echo.next(), ['hello']);

      const bad = await connected(t, gw, the);
      const unauthorized = heard(bad, 'unauthorized');
      const disconnected = heard(bad, 'disconnect');
      bad.emit('authenticate', { token: await token({}, { key: 'another-secret-0123456789abcdefgh' }) });
      assert.deepEqual(await unauthorized, [{
        message: 'invalid signature',
        data: { message: 'invalid signature', code: 'invalid_token', type: 'UnauthorizedError' },
      }]);
      assert.equal((await disconnected)[0], 'io server disconnect');
    });
  }

  test(`${version}: a refused client hears connect_error`, async (t) => {
    const gw = await gateway(t);
    const error = await refused(client(t, gw, { client: version, query: { token: 'rubbish' } }));
    assert.equal(error.message, 'Authentication error');
    assert.deepEqual(error.data, { message: 'jwt malformed', code: 'credentials_bad_format', type: 'UnauthorizedError' });
  });
}

test('what one emits comes out at every client, whatever its version and transport', async (t) => {
  const gw = await gateway(t);
  const pass = await token();
  const sockets = Object.keys(CLIENTS).flatMap((version) => Object.values(WAYS)
    .map((transports) => client(t, gw, { client: version, transports, query: { token: pass } })));
  await Promise.all(sockets.map(accepted));
  const boxes = sockets.map((s) => inbox(s, 'message'));
  for (const [i, socket] of sockets.entries()) {
    socket.emit('message', { from: i, text: 'grüß dich 👋' });
    for (const box of boxes) assert.deepEqual(await box.next(), [{ from: i, text: 'grüß dich 👋' }]);
  }
});

test('peal serve does the same as peal-gateway', async (t) => {
  const gw = await gateway(t, {}, { name: 'peal', command: ['serve'] });
  const socket = await connected(t, gw, { auth: { token: await token() } });
  const echo = inbox(socket, 'message');
  socket.emit('message', 'hello');
  assert.deepEqual(await echo.next(), ['hello']);
});

test('the secret may come from the environment', async (t) => {
  const gw = await gateway(t, { 'auth.secret': null }, { env: { PEAL_AUTH_SECRET: 'from-the-environment-0123456789ab' } });
  const good = await token({}, { key: 'from-the-environment-0123456789ab' });
  await connected(t, gw, { auth: { token: good } });
  assert.ok((await poller(gw)).sid);
});
