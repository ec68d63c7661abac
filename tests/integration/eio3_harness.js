/* What the tests of old clients (Engine.IO 3: socket.io-client 1.x and 2.x) stand on, beside harness.js. */
'use strict';
const assert = require('node:assert');
const { heard, request, token } = require('./harness');

const EIO3 = { 'gateway.allow_eio3': true };
const OPEN = { ...EIO3, 'auth.mode': 'none', 'auth.secret': null };
const OLD = ['1.7', '2.5'];
const WAYS = [['polling'], ['websocket'], ['polling', 'websocket']];

/* Every old client on every way: test titles and options of client(). */
const KINDS = OLD.flatMap((client) => WAYS.map((transports) => ({ client, transports })));
const title = (kind) => `${kind.client} by ${kind.transports.join(' and ')}`;

/* The event `error`: what an old client hears when it is refused. */
const refusedOld = async (socket) => (await heard(socket, 'error'))[0];

/* What new clients get as the data of connect_error. */
const refusal = (message, code = 'invalid_token') => ({ message, code, type: 'UnauthorizedError' });

/* The packets of a payload: text ones as strings, binary ones as buffers with their type byte. */
function textPackets(body) {
  const all = [];
  for (let rest = body; rest;) {
    const colon = rest.indexOf(':');
    const n = Number(rest.slice(0, colon));
    assert.match(rest.slice(0, colon), /^\d+$/, body);
    const packet = rest.slice(colon + 1, colon + 1 + n);
    assert.equal(packet.length, n, body);
    all.push(packet[0] === 'b' ? Buffer.concat([Buffer.from([Number(packet[1])]), Buffer.from(packet.slice(2), 'base64')]) : packet);
    rest = rest.slice(colon + 1 + n);
  }
  return all;
}

function binaryPackets(bytes) {
  const all = [];
  for (let at = 0; at < bytes.length;) {
    const end = bytes.indexOf(0xff, at);
    const n = Number([...bytes.subarray(at + 1, end)].join(''));
    const data = bytes.subarray(end + 1, end + 1 + n);
    all.push(bytes[at] === 0 ? data.toString() : Buffer.from(data));
    at = end + 1 + n;
  }
  return all;
}

const textPayload = (...packets) => packets.map((p) => `${p.length}:${p}`).join('');
const binaryPayload = (...packets) => Buffer.concat(packets.map((p) => {
  const data = Buffer.from(p);
  const digits = [...String(data.length)].map(Number);
  return Buffer.concat([Buffer.from([typeof p === 'string' ? 0 : 1, ...digits, 0xff]), data]);
}));

/* An Engine.IO 3 session on polling, request by request. query: "&b64=1", "&j=0", … of the handshake. */
class Poller3 {
  constructor(gw, query = '') {
    this.gw = gw;
    this.first = query;
  }
  get query() {
    return `EIO=3&transport=polling${this.sid ? `&sid=${this.sid}` : this.first}`;
  }
  /* The handshake; gives the packets behind the open packet. */
  async open() {
    const r = await this.get();
    assert.equal(r.status, 200, r.body);
    const [open, ...more] = this.packetsOf(r);
    assert.equal(open[0], '0');
    this.handshake = JSON.parse(open.slice(1));
    this.sid = this.handshake.sid;
    this.more = more;
    return this;
  }
  get(options) {
    return request(this.gw, { query: this.query, ...options });
  }
  post(body, type = 'text/plain;charset=UTF-8') {
    return request(this.gw, { method: 'POST', query: this.query, body, headers: { 'Content-Type': type } });
  }
  packetsOf(r) {
    if (r.headers['content-type'] === 'application/octet-stream') return binaryPackets(r.bytes);
    const script = /^___eio\[(\d+)\]\((".*")\);$/s.exec(r.body);
    return textPackets(script ? JSON.parse(script[2]) : r.body);
  }
  /* Packets of polls until n are there, those of the handshake first. */
  async packets(n) {
    while (this.more.length < n) {
      const r = await this.get();
      assert.equal(r.status, 200, r.body);
      this.more.push(...this.packetsOf(r));
    }
    return this.more.splice(0, n);
  }
}

const poller3 = (gw, query) => new Poller3(gw, query).open();

module.exports = {
  binaryPayload, EIO3, KINDS, OLD, OPEN, Poller3, poller3, refusal, refusedOld, textPackets, textPayload, title, token, WAYS,
};
