/* The demo as a newcomer meets it: deploy/run and its page in headless Chromium.
 *
 *   node --test tests/browser/demo.test.js
 *   PEAL_DEMO_PROGRAM   the program under test (build/cli/peal)
 *   PEAL_TEST_SHOTS     folder for screenshots, if wanted */
'use strict';
const { test, before, after } = require('node:test');
const assert = require('node:assert');
const { execFileSync, spawn } = require('node:child_process');
const { createHmac } = require('node:crypto');
const { once } = require('node:events');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { chromium } = require('playwright-core');

const RUN = path.join(__dirname, '../../deploy/run');
const SECRET = 'browser-test-secret-0123456789abcdef';
const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const PHONE = { width: 360, height: 740 };
const DESKTOP = { width: 1280, height: 800 };
const WAIT = 15000;

let demo, browser, url;

function findBrowser() {
  for (const name of ['chromium', 'chromium-browser', 'google-chrome'])
    for (const folder of process.env.PATH.split(':'))
      if (fs.existsSync(path.join(folder, name))) return path.join(folder, name);
  throw new Error('no chromium on the PATH; deploy/setup test installs it');
}

async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/* Starts deploy/run in its own process group; up is true once it has printed the URLs. */
async function startDemo(port, loginPort, backendPort) {
  const env = { ...process.env, PEAL_AUTH_SECRET: SECRET, PEAL_DEMO_PORT: port, PEAL_DEMO_LOGIN_PORT: loginPort,
    PEAL_DEMO_BACKEND_PORT: backendPort };
  delete env.PEAL_TEST_SHOTS;
  const child = spawn(RUN, { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const it = { child, output: '', port };
  it.exited = once(child, 'exit');
  const up = new Promise((resolve) => {
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (data) => {
        it.output += data;
        if (it.output.includes('Ctrl-C stops all of them')) resolve(true);
      });
  });
  it.up = await Promise.race([up, once(child, 'close').then(() => false)]);
  return it;
}

async function stopDemo(it, signal) {
  process.kill(-it.child.pid, signal);
  return (await it.exited)[0];
}

/* A process that has ended is a member of its group until it has been reaped, which may take a moment. */
async function groupGone(group) {
  const limit = Date.now() + WAIT;
  while (Date.now() < limit) {
    try {
      process.kill(-group, 0);
    } catch (error) {
      assert.equal(error.code, 'ESRCH');
      return;
    }
    await new Promise(setImmediate);
  }
  assert.fail(`processes of the group are left: ${execFileSync('ps', ['-o', 'pid,stat,args', '-g', group])}`);
}

async function openPage(viewport, options = {}) {
  const context = await browser.newContext({ viewport, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(WAIT);
  page.on('pageerror', (error) => { page.broken = error; });
  await page.goto(url);
  return page;
}

async function join(page, name, ttl) {
  await page.getByLabel('Your name').fill(name);
  if (ttl) await page.getByLabel(ttl, { exact: true }).check();
  await page.getByRole('button', { name: 'Join' }).click();
  await see(page, '#state', 'Connected');
}

async function say(page, text) {
  await page.getByLabel('Message', { exact: true }).fill(text);
  await page.getByRole('button', { name: 'Send' }).click();
}

const see = (page, selector, text) =>
  page.locator(selector).filter({ hasText: text }).first().waitFor();

async function shot(page, name) {
  const folder = process.env.PEAL_TEST_SHOTS;
  if (!folder) return;
  fs.mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: path.join(folder, `${name}.png`) });
}

async function leave(...pages) {
  for (const page of pages) {
    assert.equal(page.broken, undefined);
    await page.context().close();
  }
}

function mint(name, seconds) {
  const part = (o) => Buffer.from(JSON.stringify(o)).toString('base64url');
  const now = Math.floor(Date.now() / 1000);
  const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ sub: name, name, iat: now, exp: now + seconds })}`;
  return `${text}.${createHmac('sha256', SECRET).update(text).digest('base64url')}`;
}

/* The first login gets a token that lives some seconds only. */
const shortFirstToken = (page, name, seconds) =>
  page.route('**/login', (route) => route.fulfill({
    headers: { 'Access-Control-Allow-Origin': '*' },
    json: { token: mint(name, seconds), expires_in: seconds, username: name },
  }), { times: 1 });

before(async () => {
  demo = await startDemo(await freePort(), await freePort(), await freePort());
  assert.ok(demo.up, demo.output);
  url = `http://localhost:${demo.port}/`;
  browser = await chromium.launch({ executablePath: findBrowser(), args: FLAGS });
});

after(async () => {
  await browser?.close();
  if (demo?.child.exitCode === null) await stopDemo(demo, 'SIGKILL');
});

test('two users see each other\'s messages, by websocket', async () => {
  const ann = await openPage(DESKTOP);
  const bob = await openPage(PHONE, { colorScheme: 'dark', hasTouch: true, isMobile: true, deviceScaleFactor: 2 });
  await shot(ann, 'login-desktop-light');
  await shot(bob, 'login-phone-dark');
  await join(ann, 'Ann');
  await join(bob, 'Bob', '10 min');
  await see(ann, '#transport', 'websocket');
  await see(bob, '#transport', 'websocket');

  await say(ann, 'Hello Bob, do you hear the bell?');
  await see(bob, '.row:not(.own)', 'Hello Bob, do you hear the bell?');
  await say(bob, 'Loud and clear.');
  await see(ann, '.row:not(.own)', 'Loud and clear.');
  const hostile = '<img src=x onerror="document.title=\'broken\'"><b>not bold</b>';
  await say(bob, hostile);
  await see(ann, '.row:not(.own) .text', hostile);
  await say(ann, 'Nice try ' + 'x'.repeat(120));
  await see(ann, '.own.acked', 'Nice try');
  await see(bob, '.row:not(.own)', 'Nice try');

  assert.equal(await ann.title(), 'Peal demo');
  assert.equal(await ann.locator('.row').count(), 4, 'the sender sees its own message once');
  assert.equal(await bob.locator('.own.acked').count(), 2);
  await shot(ann, 'chat-desktop-light');
  await shot(bob, 'chat-phone-dark');
  await ann.emulateMedia({ colorScheme: 'dark' });
  await bob.emulateMedia({ colorScheme: 'light' });
  await shot(ann, 'chat-desktop-dark');
  await shot(bob, 'chat-phone-light');
  await leave(ann, bob);
});

test('rooms: history, private messages and who is there, by the backend', async () => {
  const ann = await openPage(DESKTOP);
  const bob = await openPage(PHONE, { colorScheme: 'dark', hasTouch: true, isMobile: true, deviceScaleFactor: 2 });
  const write = async (page, text) => {
    await page.locator('#room-text').fill(text);
    await page.getByRole('button', { name: 'Send to the room' }).click();
  };
  const people = async (page, ...names) => {
    for (const name of names) await see(page, '#people', name);
    await page.waitForFunction((n) => document.querySelectorAll('#people li').length === n, names.length);
  };
  const rows = (page, text) => page.locator('#room-messages .row').filter({ hasText: text });
  await join(ann, 'Ann');
  await ann.getByRole('tab', { name: 'Rooms' }).click();
  await people(ann, 'Ann (you)');
  await write(ann, 'Is anybody here?');
  await rows(ann, 'Is anybody here?').waitFor();
  await join(bob, 'Bob');
  await bob.getByRole('tab', { name: 'Rooms' }).click();
  await rows(bob, 'Is anybody here?').waitFor(); /* history */
  await people(ann, 'Ann (you)', 'Bob');
  await people(bob, 'Ann', 'Bob (you)');
  await write(bob, 'I am.');
  await rows(ann, 'I am.').waitFor();

  await ann.getByRole('button', { name: 'Bob', exact: true }).click();
  await write(ann, 'Only for you');
  await rows(bob, 'Ann, privately').waitFor();
  await rows(ann, 'privately to Bob').waitFor();
  await shot(ann, 'rooms-desktop-light');
  await shot(bob, 'rooms-phone-dark');
  await ann.getByRole('button', { name: 'Back to the room' }).click();

  await bob.getByRole('button', { name: 'music' }).click();
  await people(ann, 'Ann (you)');
  await people(bob, 'Bob (you)');
  await rows(bob, 'Is anybody here?').waitFor({ state: 'detached' });
  await write(ann, 'He is gone');
  await rows(ann, 'He is gone').waitFor();
  await write(bob, 'la la la');
  await rows(bob, 'la la la').waitFor();
  assert.equal(await rows(bob, 'He is gone').count(), 0);
  assert.equal(await rows(ann, 'la la la').count(), 0);
  await bob.getByRole('button', { name: 'general' }).click();
  await rows(bob, 'He is gone').waitFor();
  assert.equal(await rows(bob, 'Only for you').count(), 0, 'what is private is in no history');
  await people(ann, 'Ann (you)', 'Bob');

  await bob.context().close();
  await people(ann, 'Ann (you)');
  await ann.getByRole('button', { name: 'Disconnect', exact: true }).click();
  await see(ann, '#room-state', 'Not connected');
  await ann.getByRole('button', { name: 'Connect', exact: true }).click();
  await people(ann, 'Ann (you)');
  await rows(ann, 'He is gone').waitFor();
  await leave(ann);
});

test('a bad token is refused in words, and the live connection stays', async () => {
  const page = await openPage(DESKTOP);
  await join(page, 'Ann');
  await page.getByRole('button', { name: 'Connect with a bad token' }).click();
  await see(page, '#alert', 'Authentication error');
  await see(page, '#alert', 'invalid signature');
  assert.equal(await page.locator('#state').textContent(), 'Connected');
  await shot(page, 'refused-desktop-light');
  await leave(page);
});

test('on a phone nothing scrolls sideways', async () => {
  const page = await openPage(PHONE, { isMobile: true, hasTouch: true, deviceScaleFactor: 2 });
  const fits = async () => assert.deepEqual(await page.evaluate(() => ({
    window: innerWidth,
    tooWide: [...document.querySelectorAll('html, .bar, #scroll, #panel')]
      .filter((e) => e.scrollWidth > e.clientWidth).map((e) => e.id || e.className || 'page'),
  })), { window: 360, tooWide: [] });
  await fits();
  await join(page, 'W'.repeat(32));
  await say(page, 'y'.repeat(300));
  await see(page, '.own.acked', 'yyy');
  await page.getByRole('button', { name: 'Details' }).click();
  await page.getByRole('button', { name: 'Connect with a bad token' }).click();
  await see(page, '#alert', 'Authentication error');
  await fits();
  await shot(page, 'details-phone-light');
  await leave(page);
});

test('disconnect and connect again', async () => {
  const page = await openPage(DESKTOP);
  await join(page, 'Ann');
  await page.getByRole('button', { name: 'Disconnect', exact: true }).click();
  await see(page, '#state', 'Disconnected');
  await see(page, '#close-reason', 'io client disconnect');
  await page.getByRole('button', { name: 'Connect', exact: true }).click();
  await see(page, '#state', 'Connected');
  await say(page, 'back');
  await see(page, '.own.acked', 'back');
  await leave(page);
});

test('a token is renewed on the live connection when the gateway warns', async () => {
  const page = await openPage(DESKTOP);
  await shortFirstToken(page, 'Ann', 4);
  await join(page, 'Ann');
  const sid = await page.locator('#sid').textContent();
  await see(page, '.note', 'Token renewed');
  await see(page, '#expires', /^59:/);
  await page.getByRole('button', { name: 'Renew now' }).click();
  await page.locator('.note', { hasText: 'Token renewed' }).nth(1).waitFor();
  assert.equal(await page.locator('#sid').textContent(), sid);
  await leave(page);
});

test('an expired token ends the connection, and the page says so', async () => {
  const page = await openPage(DESKTOP);
  await shortFirstToken(page, 'Ann', 3);
  await page.locator('#auto-renew').evaluate((e) => e.click());
  await join(page, 'Ann');
  await see(page, '#state', 'Disconnected');
  await see(page, '#state-detail', 'the token expired');
  await page.getByRole('button', { name: 'Connect', exact: true }).click();
  await see(page, '#alert', 'jwt expired');
  await shot(page, 'expired-desktop-light');
  await leave(page);
});

test('a taken port is one clear line and nothing is started', async () => {
  const second = await startDemo(demo.port, await freePort(), await freePort());
  assert.ok(!second.up);
  assert.match(second.output, new RegExp(`^demo: port ${demo.port} is taken.*PORT=.*\n$`));
  assert.equal((await second.exited)[0], 1);
});

test('Ctrl-C stops everything with status 0', async () => {
  assert.equal(await stopDemo(demo, 'SIGINT'), 0, demo.output);
  assert.match(demo.output, /demo: stopped\n$/);
  assert.doesNotMatch(demo.output, /eyJ/, 'no token in any log line');
  await groupGone(demo.child.pid);
});
