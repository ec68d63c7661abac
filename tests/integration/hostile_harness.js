'use strict';
// A gateway process, raw sockets and hand-made WebSocket frames for d_hostile.test.js. Node built-ins only:
// a client library would refuse to send most of what is sent here.
const assert = require('node:assert');
const crypto = require('node:crypto');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const { setTimeout: after } = require('node:timers/promises');

const SECRET = 'a secret for tests only, 32 bytes or more';
const SANITIZER = /(Address|Leak|UndefinedBehavior)Sanitizer|runtime error:|level=panic|Assertion/;

const b64url = (value) => Buffer.from(value).toString('base64url');

function token(claims = {}) {
    const now = Math.floor(Date.now() / 1000);
    const body = b64url(JSON.stringify({ alg: 'HS256', typ: 'JWT' })) + '.' +
        b64url(JSON.stringify({ sub: 'u1', iat: now, exp: now + 3600, ...claims }));
    return body + '.' + crypto.createHmac('sha256', SECRET).update(body).digest('base64url');
}

// Random bytes that are the same in every run.
function bytesOf(seed, n) {
    const parts = [];
    for (let i = 0, have = 0; have < n; i++, have += 32)
        parts.push(crypto.createHash('sha256').update(`${seed}/${i}`).digest());
    return Buffer.concat(parts).subarray(0, n);
}

function program() {
    const root = path.resolve(__dirname, '../..');
    const builds = process.env.PEAL_BUILD ? [process.env.PEAL_BUILD]
        : ['build/asan', 'build/dev', 'build'].map((b) => path.join(root, b));
    const found = builds.map((b) => path.join(b, 'cli/peal')).find((p) => fs.existsSync(p));
    assert.ok(found, `no peal program in ${builds}; set PEAL_BUILD`);
    return found;
}

// Waits until check() is true; `what` is said if it does not become so in time.
async function until(check, ms, what) {
    const end = Date.now() + ms;
    while (!(await check())) {
        if (Date.now() > end) assert.fail(`not within ${ms} ms: ${what}`);
        await after(10);
    }
}

class Gateway {
    static async start(settings = {}) {
        const gw = new Gateway();
        const args = ['serve'];
        const all = { 'gateway.host': '127.0.0.1', 'gateway.port': 0, ...settings };
        for (const [k, v] of Object.entries(all)) args.push('--set', `${k}=${v}`);
        // PEAL_WRAP: words put before the program, for instance "valgrind --error-exitcode=9".
        const words = [...(process.env.PEAL_WRAP || '').split(' ').filter(Boolean), program(), ...args];
        // The tests' own PEAL_ variables are no configuration keys.
        const env = Object.fromEntries(Object.entries(process.env).filter(([k]) => !k.startsWith('PEAL_')));
        gw.child = spawn(words[0], words.slice(1), {
            env: { ...env, PEAL_AUTH_SECRET: SECRET },
            stdio: ['ignore', 'pipe', 'pipe'],
        });
        gw.text = '';
        for (const stream of [gw.child.stdout, gw.child.stderr])
            stream.setEncoding('utf8').on('data', (t) => gw.hear(t));
        gw.exited = once(gw.child, 'exit');
        const kill = () => gw.child.kill('SIGKILL');
        process.once('exit', kill); // whatever becomes of the tests
        gw.exited.then(() => process.off('exit', kill));
        gw.port = await new Promise((resolve, reject) => {
            gw.onPort = resolve;
            gw.exited.then(([code]) => reject(new Error(`gateway ended with ${code}: ${gw.text}`)));
        });
        gw.exited.catch(() => {});
        gw.before = { fds: gw.fds() };
        await gw.good(); // what the first client of all makes the program allocate is no leak
        gw.before.rss = gw.rss();
        return gw;
    }

    hear(text) {
        this.text += text;
        const port = this.onPort && /msg=listening port=(\d+)/.exec(this.text);
        if (port) {
            this.onPort(Number(port[1]));
            this.onPort = null;
        }
        // Only the tail and what is no log line is kept: a storm logs megabytes.
        if (this.text.length > 1 << 20 && !SANITIZER.test(this.text)) this.text = this.text.slice(-4096);
    }

    proc(name) { return fs.readFileSync(`/proc/${this.child.pid}/${name}`, 'utf8'); }
    fds() { return fs.readdirSync(`/proc/${this.child.pid}/fd`).length; }
    rss() { return Number(/VmRSS:\s+(\d+)/.exec(this.proc('status'))[1]); } // KiB
    // Ticks of CPU so far, user and system.
    cpu() {
        const fields = this.proc('stat').split(') ')[1].split(' ');
        return Number(fields[11]) + Number(fields[12]);
    }

    // The address sanitizer reserves terabytes for its shadow.
    get sanitized() { return Number(/VmSize:\s+(\d+)/.exec(this.proc('status'))[1]) > 2 ** 30; }

    async idle(ms = 6000) {
        await until(() => this.fds() <= this.before.fds, ms,
            `descriptors back to ${this.before.fds}, still ${this.fds()}`);
    }

    // A fresh client on each transport is served, and soon.
    async good() {
        assert.strictEqual(this.child.exitCode, null, this.text.slice(-3000));
        const start = Date.now();
        const ws = await Ws.session(this, { auth: token({ sub: 'good' }) });
        ws.text('421["message","are you well?"]');
        const got = [await ws.message(), await ws.message()].sort();
        assert.deepStrictEqual(got, ['42["message","are you well?"]', '431[{"status":"ok"}]'].map((s) => '4' + s.slice(1)));
        await ws.bye();
        const poll = await Poll.session(this, { auth: token({ sub: 'good' }) });
        assert.strictEqual((await poll.post('423["message",1]')).body, 'ok');
        assert.match((await poll.get()).body, /433\[/);
        await poll.post('1');
        const took = Date.now() - start;
        // 5 round trips on an idle machine take some 20 ms; the rest is for a busy one with sanitizers.
        assert.ok(took < Number(process.env.PEAL_SLOW || 1) * 2000, `a good client was served in ${took} ms`);
    }

    async stop() {
        this.child.kill('SIGTERM');
        const [code, signal] = await this.exited;
        assert.doesNotMatch(this.text, SANITIZER);
        assert.deepStrictEqual([code, signal], [0, null], this.text.slice(-3000));
    }
}

// A TCP connection that sends anything and keeps what comes back.
class Raw {
    static live = new Set();

    // What a failed test left open would make the next ones fail too.
    static dropAll() { for (const s of Raw.live) s.destroy(); }

    static async open(gw) {
        const raw = new Raw();
        const s = raw.s = net.connect({ port: gw.port, host: '127.0.0.1', allowHalfOpen: true });
        Raw.live.add(s);
        s.once('close', () => Raw.live.delete(s));
        raw.data = Buffer.alloc(0);
        raw.ended = false;
        raw.start = Date.now();
        const over = () => { raw.ended = true; raw.wake(); };
        s.on('data', (d) => { raw.data = Buffer.concat([raw.data, d]); raw.wake(); });
        s.on('end', over).on('close', over).on('error', (e) => { raw.error = e.code; over(); });
        s.setNoDelay(true);
        raw.waiting = [];
        await Promise.race([once(s, 'connect'), once(s, 'close').then(() => {})]);
        return raw;
    }

    wake() { for (const f of this.waiting.splice(0)) f(); }
    send(bytes) { if (!this.s.destroyed) this.s.write(bytes); return this; }
    fin() { this.s.end(); }
    rst() { this.s.resetAndDestroy(); }
    drop() { this.s.destroy(); }

    async wait(check, ms, what) {
        let late = false;
        const slow = Number(process.env.PEAL_SLOW || 1);
        const timer = setTimeout(() => { late = true; this.wake(); }, ms * slow);
        try {
            for (;;) {
                const got = check();
                if (got !== undefined && got !== false) return got;
                if (late || this.ended)
                    assert.fail(`${what}: ${late ? `nothing in ${ms} ms` : 'connection ended'}; ` +
                        `got ${JSON.stringify(this.data.toString('latin1').slice(0, 300))}`);
                await new Promise((f) => this.waiting.push(f));
            }
        } finally {
            clearTimeout(timer);
        }
    }

    // The gateway ends the connection, by FIN or RST.
    async gone(ms = 3000, what = 'the gateway ends the connection') {
        await this.wait(() => this.ended, ms, what);
        this.drop();
        return this.data;
    }

    // Takes one HTTP answer off the data.
    async reply(ms = 3000) {
        return this.wait(() => {
            const end = this.data.indexOf('\r\n\r\n');
            if (end < 0) return undefined;
            const head = this.data.toString('latin1', 0, end);
            const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)[1]);
            const length = status === 101 ? 0 : Number((/^content-length: (\d+)/im.exec(head) || [0, 0])[1]);
            if (this.data.length < end + 4 + length) return undefined;
            const body = this.data.toString('utf8', end + 4, end + 4 + length);
            this.data = this.data.subarray(end + 4 + length);
            return { status, head, body };
        }, ms, 'an HTTP answer');
    }
}

const OPCODES = { text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

// One frame, right in every way that is not overridden. length: what the header says; form: 7, 16 or 64 bits.
function frame(payload = '', { op = 1, fin = true, rsv = 0, mask = true, length, form } = {}) {
    const body = Buffer.from(payload);
    const n = BigInt(length === undefined ? body.length : length);
    const bits = form || (n < 126n ? 7 : n < 65536n ? 16 : 64);
    const head = Buffer.alloc(bits === 7 ? 2 : bits === 16 ? 4 : 10);
    head[0] = (fin ? 128 : 0) | rsv << 4 | op;
    head[1] = (mask ? 128 : 0) | (bits === 7 ? Number(n) : bits === 16 ? 126 : 127);
    if (bits === 16) head.writeUInt16BE(Number(n), 2);
    if (bits === 64) head.writeBigUInt64BE(n, 2);
    if (!mask) return Buffer.concat([head, body]);
    const key = Buffer.from([0x5a, 0xa5, 0x3c, 0xc3]);
    for (let i = 0; i < body.length; i++) body[i] ^= key[i & 3];
    return Buffer.concat([head, key, body]);
}

const WS_PATH = '/socket.io/?EIO=4&transport=websocket';

function upgradeHead(target = WS_PATH, extra = '') {
    return `GET ${target} HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${extra}\r\n`;
}

class Ws {
    // Upgraded, nothing read yet. behind: bytes in the same segment as the head.
    static async open(gw, { target = WS_PATH, behind = '', extra = '' } = {}) {
        const ws = new Ws();
        ws.raw = await Raw.open(gw);
        ws.raw.send(Buffer.concat([Buffer.from(upgradeHead(target, extra)), Buffer.from(behind)]));
        const r = await ws.raw.reply();
        assert.strictEqual(r.status, 101, r.body);
        assert.match(r.head, /^sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=$/im);
        return ws;
    }

    // Handshake done and, with auth, namespace joined.
    static async session(gw, { auth } = {}) {
        const ws = await Ws.open(gw);
        ws.sid = JSON.parse((await ws.message()).slice(1)).sid;
        if (auth) await ws.join(auth);
        return ws;
    }

    async join(auth, nsp = '') {
        this.text(`40${nsp && nsp + ','}${JSON.stringify({ token: auth })}`);
        const m = await this.message();
        assert.ok(m.startsWith(`40${nsp && nsp + ','}{"sid":"`), m);
    }

    send(bytes) { this.raw.send(bytes); return this; }
    text(t) { return this.send(frame(t)); }
    binary(b) { return this.send(frame(b, { op: 2 })); }

    take() {
        const d = this.raw.data;
        if (d.length < 2) return undefined;
        let n = d[1] & 127, at = 2;
        assert.strictEqual(d[1] & 128, 0, 'a server does not mask');
        if (n >= 126) {
            at = n === 126 ? 4 : 10;
            if (d.length < at) return undefined;
            n = n === 126 ? d.readUInt16BE(2) : Number(d.readBigUInt64BE(2));
        }
        if (d.length < at + n) return undefined;
        this.raw.data = d.subarray(at + n);
        return { op: d[0] & 15, payload: d.subarray(at, at + n) };
    }

    frame(ms = 3000) { return this.raw.wait(() => this.take(), ms, 'a WebSocket frame'); }

    // The next message; a text as string, a binary one as Buffer. Engine.IO pings are answered.
    async message(ms) {
        for (;;) {
            const f = await this.frame(ms);
            if (f.op === OPCODES.text && f.payload.equals(Buffer.from('2'))) this.text('3');
            else if (f.op === OPCODES.text) return f.payload.toString();
            else if (f.op === OPCODES.binary) return f.payload;
            else assert.fail(`frame ${f.op} instead of a message: ${f.payload.toString('hex')}`);
        }
    }

    // Still a working session in namespace /?
    async works() {
        this.text('4277["quiet"]');
        assert.strictEqual(await this.message(), '4377[{"status":"ok"}]');
    }

    // The gateway closes; gives the close frame's code, 1005 for one without, undefined for none.
    async closed(ms = 3000) {
        let code;
        for (;;) {
            const f = await this.raw.wait(() => this.take() || (this.raw.ended && 'end'), ms, 'the close');
            if (f === 'end') break;
            if (f.op !== OPCODES.close) continue;
            code = f.payload.length >= 2 ? f.payload.readUInt16BE(0) : 1005;
            this.send(frame(f.payload.subarray(0, 2), { op: 8 })).raw.fin();
        }
        this.raw.drop();
        return code;
    }

    async bye() {
        this.send(frame('', { op: 8 }));
        for (let f = { op: 0 }; f.op !== OPCODES.close;) f = await this.frame();
        this.raw.drop();
    }
}

// A polling session; each request on its own connection.
class Poll {
    static async session(gw, { auth } = {}) {
        const p = new Poll();
        p.gw = gw;
        const r = await p.request('GET', '');
        assert.strictEqual(r.status, 200, r.body);
        p.sid = JSON.parse(r.body.slice(1)).sid;
        if (!auth) return p;
        assert.strictEqual((await p.post(`40${JSON.stringify({ token: auth })}`)).body, 'ok');
        assert.match((await p.get()).body, /^40\{"sid":"/);
        return p;
    }

    get target() { return `/socket.io/?EIO=4&transport=polling${this.sid ? `&sid=${this.sid}` : ''}`; }

    head(method, more = '') { return `${method} ${this.target} HTTP/1.1\r\nHost: h\r\n${more}\r\n`; }

    async begin(method, more, body = '') {
        const raw = await Raw.open(this.gw);
        return raw.send(Buffer.concat([Buffer.from(this.head(method, more)), Buffer.from(body)]));
    }

    async request(method, more, body) {
        const raw = await this.begin(method, more, body);
        const r = await raw.reply();
        raw.drop();
        return r;
    }

    get() { return this.request('GET', ''); }

    post(body, more = '') {
        return this.request('POST', `Content-Length: ${Buffer.byteLength(body)}\r\n${more}`, body);
    }

    // A request of a session that is over is told so.
    async isGone() {
        const r = await this.get();
        assert.deepStrictEqual([r.status, r.body], [400, '{"code":1,"message":"Session ID unknown"}']);
    }
}

// fn(i) for i in [0, n), so many at a time.
async function crowd(n, width, fn) {
    let next = 0;
    const lane = async () => { while (next < n) await fn(next++); };
    await Promise.all(Array.from({ length: Math.min(width, n) }, lane));
}

module.exports = { Gateway, Raw, Ws, Poll, frame, upgradeHead, token, bytesOf, until, crowd, after };
