/* JSONP polling of old clients, which only a page can do: each answer is a script that the page loads.
 *
 *   PEAL_BUILD=build node --test tests/browser/jsonp.test.js */
'use strict';
const { test } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { chromium } = require('playwright-core');
const { atEnd, connected, gateway, heard, tempDir } = require('../integration/harness');

const MODULES = path.join(__dirname, '../integration/node_modules');
const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const WAIT = 15000;
/* Quotes, a script's end, line ends that JavaScript once took for such, and other alphabets. */
const TEXT = 'a "quoted" \\n </script><!-- \u2028\u2029 é€😀';

function findBrowser() {
  const folders = process.env.PATH.split(':');
  const found = folders.map((f) => path.join(f, 'chromium')).find((p) => fs.existsSync(p));
  assert.ok(found, 'no chromium on the PATH; deploy/setup test installs it');
  return found;
}

/* A page with the client's own bundle, served by the gateway. */
async function openPage(t, version) {
  const folder = tempDir(t);
  fs.copyFileSync(path.join(MODULES, `socket.io-client-${version}/dist/socket.io.js`), path.join(folder, 'client.js'));
  fs.writeFileSync(path.join(folder, 'index.html'), '<!doctype html><meta charset="utf-8"><title>old</title><script src="client.js"></script>');
  const gw = await gateway(t, { 'auth.mode': 'none', 'auth.secret': null, 'gateway.allow_eio3': true, 'gateway.static_dir': folder });
  const browser = await chromium.launch({ executablePath: findBrowser(), args: FLAGS });
  atEnd(t, () => browser.close());
  const page = await browser.newPage();
  page.setDefaultTimeout(WAIT);
  const loaded = [];
  page.on('request', (r) => { if (r.resourceType() === 'script') loaded.push(r.url()); });
  await page.goto(`${gw.url}/`);
  return { gw, page, loaded };
}

for (const version of ['1', '2']) {
  test(`socket.io-client ${version}.x by JSONP beside a client of today`, async (t) => {
    const { gw, page, loaded } = await openPage(t, version);
    const guest = await connected(t, gw);
    await page.evaluate(() => new Promise((resolve, reject) => {
      window.heard = [];
      window.socket = window.io(window.location.origin, { transports: ['polling'], forceJSONP: true });
      window.socket.on('message', (...args) => window.heard.push(args));
      window.socket.on('connect', resolve);
      window.socket.on('connect_error', reject);
    }));
    assert.ok(loaded.some((u) => /[?&]j=\d+/.test(u)), 'answers came as scripts');

    const fromGuest = page.waitForFunction(() => window.heard.length === 1);
    guest.emit('message', TEXT, { n: 1 });
    await fromGuest;
    assert.deepEqual(await page.evaluate(() => window.heard[0]), [TEXT, { n: 1 }]);

    /* A 1.x client's own text above ASCII is garbled on this way, as with the reference. */
    const text = version === '1' ? TEXT.replace(/[^ -~]/g, '') : TEXT;
    const atGuest = heard(guest, 'message');
    const ack = await page.evaluate((value) => new Promise((resolve) => window.socket.emit('message', value, 2, resolve)), text);
    assert.deepEqual(ack, { status: 'ok' });
    assert.deepEqual(await atGuest, [text, 2]);
    await page.evaluate(() => window.socket.close());
  });
}
