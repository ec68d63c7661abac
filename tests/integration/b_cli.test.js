/* The programs at the command line: configuration, refusals, tokens, documents. */
'use strict';
const { test } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const net = require('node:net');
const { once } = require('node:events');
const path = require('node:path');
const { connected, gateway, keyPair, now, ROOT, run, SECRET, tempDir, token } = require('./harness');

const GATEWAYS = { 'peal-gateway': ['gateway', []], 'peal serve': ['peal', ['serve']] };
const ONE = ['--set', `auth.secret=${SECRET}`, '--set', 'gateway.host=127.0.0.1'];

for (const [title, [name, command]] of Object.entries(GATEWAYS)) {
  const start = (args, options) => run(name, [...command, ...args], options);

  test(`${title} -t checks and exits`, async () => {
    const good = await start(['-t', ...ONE]);
    assert.deepEqual(good, { code: 0, stdout: 'configuration OK\n', stderr: '' });
    const bad = await start(['-t', '--set', 'gateway.port=70000']);
    assert.equal(bad.code, 1);
    assert.match(bad.stderr, new RegExp(`^${title}: --set: gateway\\.port: .*65535`));
  });

  test(`${title} --print-config prints everything but secrets`, async (t) => {
    const dir = tempDir(t);
    const file = path.join(dir, 'peal.json');
    fs.writeFileSync(file, JSON.stringify({ gateway: { port: 4000, path: '/a' }, 'log.level': 'warn', auth: { keys: [{ kid: 'k', alg: 'HS256', secret: SECRET }] } }));
    const r = await start(['-c', file, '--print-config', '--set', 'gateway.max_head=2048', '--set', `auth.secret=${SECRET}`], {
      env: { PEAL_LOG_LEVEL: 'error', PEAL_GATEWAY_MAX_HEAD: '4096' },
    });
    assert.equal(r.code, 0, r.stderr);
    const cfg = JSON.parse(r.stdout);
    assert.deepEqual([cfg.gateway.port, cfg.gateway.path, cfg.gateway.max_head, cfg.log.level], [4000, '/a/', 2048, 'error'], 'option over environment over file');
    assert.deepEqual([cfg.auth.secret, cfg.auth.keys], ['***', [{ kid: 'k', alg: 'HS256', secret: '***' }]]);
    assert.ok(!r.stdout.includes(SECRET));
    /* What it prints can be read again, secrets apart. */
    delete cfg.auth.secret;
    delete cfg.auth.keys;
    fs.writeFileSync(file, JSON.stringify(cfg));
    const again = await start(['-c', file, '--print-config']);
    assert.equal(again.code, 0, again.stderr);
    assert.deepEqual(JSON.parse(again.stdout).gateway, cfg.gateway);
  });

  test(`${title}: a mistake in the configuration ends it with 1 and names the key`, async (t) => {
    const dir = tempDir(t);
    const pem = path.join(dir, 'key.pem');
    fs.writeFileSync(pem, (await keyPair('p256')).public);
    for (const [assignment, says] of [
      ['gateway.prot=1', /gateway\.prot/], ['gateway.port=x', /gateway\.port/], ['gateway.port=-1', /gateway\.port/], ['gateway', /section\.name=value/],
      ['gateway.path=x', /gateway\.path/], ['gateway.path=/a?b', /gateway\.path/], ['gateway.max_payload=1', /gateway\.max_payload/],
      ['gateway.host=256.1.1.1', /gateway\.host/], ['engine.transports=polling,smoke', /engine\.transports/], ['engine.transports=', /engine\.transports/],
      ['auth.mode=maybe', /auth\.mode.*connect.*event.*either.*none/], ['auth.algorithm=none', /auth\.algorithm/], ['auth.secret=short', /auth\.secret/],
      ['auth.secret_file=/nonexistent', /auth\.secret/], ['auth.keys=[{"kid":"a"}]', /auth\.keys\[0\]\.alg/], ['auth.keys={', /auth\.keys/],
      ['routes.events=message', /routes\.events/], ['routes.events=message=everybody', /routes\.events.*all.*others.*room.*none/],
      ['socketio.namespaces=chat', /socketio\.namespaces/], ['cors.origins=example.com', /cors\.origins/], ['engine.cookie=a b', /engine\.cookie/],
      ['log.level=loud', /log\.level/], ['engine.allow_upgrades=perhaps', /engine\.allow_upgrades/],
    ]) {
      const r = await start([...ONE, '--set', 'gateway.port=0', '--set', assignment]);
      assert.equal(r.code, 1, assignment);
      assert.match(r.stderr, says);
      assert.match(r.stderr, /^[^\n]+\n$/, 'one line');
    }
    const none = await start(['--set', 'gateway.port=0']);
    assert.equal(none.code, 1);
    assert.match(none.stderr, /auth\.secret: missing: set PEAL_AUTH_SECRET/);
    const asSecret = await start(['--set', 'gateway.port=0', '--set', `auth.secret_file=${pem}`]);
    assert.equal(asSecret.code, 1);
    assert.match(asSecret.stderr, /auth\.secret_file.*PEM key, which the HS algorithms cannot use/);
    const credentials = await start([...ONE, '--set', 'cors.origins=*', '--set', 'cors.credentials=true']);
    assert.match(credentials.stderr, /cors\.credentials/);
    for (const [text, says] of [['{', /peal\.json/], ['[]', /peal\.json/], ['{"gateway":{"prot":1}}', /gateway\.prot/], ['{"gateway":{"port":"x"}}', /gateway\.port/], ['{"gateway.port":1,"gateway.port":2}', /peal\.json/]]) {
      const file = path.join(dir, 'peal.json');
      fs.writeFileSync(file, text);
      const r = await start(['-c', file, ...ONE]);
      assert.equal(r.code, 1, text);
      assert.match(r.stderr, says);
    }
    const env = await start(ONE, { env: { PEAL_GATEWAY_PORT: 'x' } });
    assert.equal(env.code, 1);
    assert.match(env.stderr, /gateway\.port|PEAL_GATEWAY_PORT/);
    const unknown = await start(ONE, { env: { PEAL_GATEWAY_PROT: '1' } });
    assert.equal(unknown.code, 1);
    assert.match(unknown.stderr, /PEAL_GATEWAY_PROT/);
  });

  test(`${title}: a port that is taken is told clearly`, async (t) => {
    const server = net.createServer().listen(0, '127.0.0.1');
    t.after(() => server.close());
    await once(server, 'listening');
    const { port } = server.address();
    const r = await start([...ONE, '--set', `gateway.port=${port}`]);
    assert.equal(r.code, 1);
    assert.match(r.stderr, new RegExp(`^${title}: gateway\\.port: ${port} is in use by another program`, 'm'));
  });

  test(`${title}: options that are none`, async () => {
    for (const args of [['--bogus'], ['extra'], ['-c'], ['--set'], ['-x']]) {
      const r = await start(args);
      assert.equal(r.code, 1, args.join());
      assert.match(r.stderr, /--help/);
    }
    const leak = await start([`--sett=auth.secret=${SECRET}`]);
    assert.ok(leak.code === 1 && !leak.stderr.includes(SECRET), 'a mistyped option does not print the secret');
    const help = await start(['--help']);
    assert.equal(help.code, 0);
    assert.match(help.stdout, /gateway\.port/);
    assert.match(help.stdout, /auth\.pending_max_packets/);
    const version = await start(['--version']);
    assert.deepEqual([version.code, version.stderr], [0, '']);
    assert.match(version.stdout, /\d/);
  });
}

test('docs/config.md is what the table says', async () => {
  const r = await run('gateway', ['--markdown-config']);
  assert.equal(r.code, 0);
  const file = path.join(ROOT, 'docs/config.md');
  assert.ok(fs.existsSync(file), 'docs/config.md is missing');
  assert.equal(r.stdout, fs.readFileSync(file, 'utf8'));
});

test('peal without a command, with a wrong one, and asked for help', async () => {
  for (const [args, code, stream] of [[[], 2, 'stderr'], [['bogus'], 2, 'stderr'], [['--help'], 0, 'stdout'], [['help'], 0, 'stdout']]) {
    const r = await run('peal', args);
    assert.equal(r.code, code);
    assert.match(r[stream], /serve[^]*token/);
  }
});

/* ---- peal token */

const env = { PEAL_AUTH_SECRET: SECRET };
const claimsOf = (text) => JSON.parse(Buffer.from(text.split('.')[1], 'base64url'));

test('peal token makes tokens that the gateway takes', async (t) => {
  const gw = await gateway(t, { 'auth.issuer': 'me', 'auth.audience': 'chat', 'auth.rooms_claim': 'rooms' });
  const r = await run('peal', ['token', '--sub', 'ann', '--iss', 'me', '--aud', 'chat', '--aud', 'web', '--exp', '90m', '--claim', 'rooms=["red"]', '--claim', 'note=plain text'], { env });
  assert.deepEqual([r.code, r.stderr], [0, '']);
  assert.match(r.stdout, /^[\w-]+\.[\w-]+\.[\w-]+\n$/);
  const claims = claimsOf(r.stdout);
  assert.deepEqual([claims.sub, claims.iss, claims.aud, claims.rooms, claims.note], ['ann', 'me', ['chat', 'web'], ['red'], 'plain text']);
  assert.ok(Math.abs(claims.iat - now()) <= 2);
  assert.equal(claims.exp - claims.iat, 90 * 60);
  await connected(t, gw, { auth: { token: r.stdout.trim() } });
  await gw.line(/user=ann/);
});

test('peal token: never, expired, files, and each algorithm', async (t) => {
  const dir = tempDir(t);
  const never = await run('peal', ['token', '--exp', 'never'], { env });
  assert.equal(claimsOf(never.stdout).exp, undefined);
  const past = await run('peal', ['token', '--exp', '-1h'], { env });
  assert.ok(claimsOf(past.stdout).exp < now());
  for (const [alg, kind] of [['RS256', 'rsa'], ['ES256', 'p256'], ['HS512']]) {
    const pair = kind ? await keyPair(kind) : { private: 'z'.repeat(64), public: 'z'.repeat(64) };
    fs.writeFileSync(path.join(dir, 'private'), pair.private);
    fs.writeFileSync(path.join(dir, 'public'), pair.public);
    const made = await run('peal', ['token', '--sub', 'ann', '--alg', alg, '--kid', 'k1', '--secret-file', path.join(dir, 'private')]);
    assert.equal(made.code, 0, made.stderr);
    assert.deepEqual(JSON.parse(Buffer.from(made.stdout.split('.')[0], 'base64url')), { alg, kid: 'k1', typ: 'JWT' });
    const seen = await run('peal', ['token', 'inspect', '--secret-file', path.join(dir, 'public'), made.stdout.trim()]);
    assert.equal(seen.code, 0, seen.stderr);
    assert.match(seen.stdout, new RegExp(`verified with this key \\(${alg}\\)`));
    const gw = await gateway(t, { 'auth.secret': null, 'auth.secret_file': path.join(dir, 'public'), 'auth.algorithm': alg });
    await connected(t, gw, { auth: { token: made.stdout.trim() } });
  }
});

test('peal token inspect shows Python\'s tokens, and whether they are in force', async () => {
  const good = await token({ sub: 'ann', name: 'Änn' });
  for (const [args, input] of [[[good], ''], [['-'], `${good}\n`], [[], good]]) {
    const r = await run('peal', ['token', 'inspect', ...args], { env, input });
    assert.equal(r.code, 0, r.stderr);
    assert.match(r.stdout, /"alg": "HS256"[^]*"sub": "ann"[^]*expires in (59|60) min[^]*verified with this key \(HS256\)/);
  }
  const without = await run('peal', ['token', 'inspect', good]);
  assert.equal(without.code, 0);
  assert.match(without.stdout, /signature not checked: no key given/);
  const wrong = await run('peal', ['token', 'inspect', '--secret', 'another-secret-0123456789', good]);
  assert.equal(wrong.code, 1);
  assert.match(wrong.stdout, /refused with this key \(HS256\): invalid signature/);
  const old = await run('peal', ['token', 'inspect', await token({ exp: now() - 3600 })], { env });
  assert.equal(old.code, 1);
  assert.match(old.stdout, /expired (60|61) min ago[^]*refused with this key \(HS256\): jwt expired/);
  for (const junk of ['x', 'a.b.c', `${'x'.repeat(70000)}`]) {
    const r = await run('peal', ['token', 'inspect', junk], { env });
    assert.equal(r.code, 1);
    assert.match(r.stderr, /^peal token: /);
  }
});

test('peal token refuses what makes no sense, with 2 for usage and 1 for the rest', async () => {
  for (const [args, code, says, vars = env] of [
    [['--sub', 'a'], 2, /no key: set PEAL_AUTH_SECRET/, {}],
    [['--exp', 'soon'], 2, /--exp: "soon" is not a time/], [['--alg', 'none'], 2, /--alg/], [['--claim', 'x'], 2, /--claim/],
    [['--bogus'], 2, /./], [['extra'], 2, /extra/], [['--secret', 'a', '--secret-file', 'b'], 2, /not both/],
    [['--secret', 'short'], 1, /at least/], [['--secret-file', '/nonexistent'], 1, /--secret-file/], [['--alg', 'RS256'], 1, /private key/],
  ]) {
    const r = await run('peal', ['token', ...args], { env: vars });
    assert.equal(r.code, code, `${args.join(' ')}: ${r.stderr}`);
    assert.match(r.stderr, says);
    assert.equal(r.stdout, '');
  }
});
