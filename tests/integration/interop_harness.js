/* Who speaks and who hears, for the tests of the cluster's wire, beside cluster_harness.js.
 *
 *   const gws = await fixtures(t, redis);              gateways whose clients may do anything by "ask"
 *   const crowd = new Crowd(t, redis, sockets);        keeps what each of them hears
 *   await act(sockets[0], 'emit', { rooms: ['r'] }, ['news', 1]);
 *   await crowd.heard((s) => s.room === 'r', ['news', 1]);
 *
 * That somebody has heard nothing else, or nothing twice, is shown by a mark that is published after
 * all the rest and must come last. */
'use strict';
const assert = require('node:assert');
const { ask, atEnd, connected, Inbox, within } = require('./harness');
const { clusterGateway, emitter, redisClient } = require('./cluster_harness');

/* The encoder that Node's adapter uses. */
const notepack = require(require.resolve('notepack.io', { paths: [require.resolve('@socket.io/redis-adapter')] }));

const OK = [{ status: 'ok' }];
const KINDS = ['4.x', '3.x'].flatMap((client) => ['websocket', 'polling'].map((transport) => ({ client, transports: [transport] })));
const ROUTES = { 'routes.events': 'message=all,others=others,say=room', 'routes.client_rooms': '*' };

/* n gateways of cluster-fixture.c. Not waited for: their clients are let in when the bus hears. */
function fixtures(t, redis, { n = 3, settings = {} } = {}) {
  const one = () => clusterGateway(t, redis, { ...ROUTES, ...settings }, { name: 'cluster-fixture' });
  return Promise.all(Array.from({ length: n }, one));
}

/* One client of every kind on each gateway; each knows its gateway's index and its kind's. */
function everyKind(t, gws, options = {}) {
  const of = typeof options === 'function' ? options : () => options;
  return Promise.all(gws.flatMap((gw, g) => KINDS.map(async (kind, k) =>
    Object.assign(await connected(t, gw, { ...kind, ...await of(g, k) }), { g, k }))));
}

/* An operation of the fixture: what it acks with. */
async function act(socket, op, which = {}, data = []) {
  const [answer] = await ask(socket, 'ask', op, which, data);
  if (answer.outcome) assert.equal(answer.outcome, 'taken');
  return answer;
}

const allowed = async (socket, ...event) => assert.deepEqual(await ask(socket, ...event), OK);
const values = (answer) => answer.parts.flat();

class Crowd {
  constructor(t, redis, sockets, { nsp = '/', key = 'socket.io' } = {}) {
    this.sockets = sockets;
    this.marks = 0;
    this.marker = emitter(t, redis, { key }).then((e) => e.of(nsp));
    this.logs = new Map();
    this.boxes = new Map();
    for (const s of sockets) {
      const box = new Inbox('marks');
      this.logs.set(s, []);
      this.boxes.set(s, box);
      s.onAny((...args) => (args[0] === 'mark' ? box.put(args[1]) : this.logs.get(s).push(args)));
    }
  }
  /* All that each has heard up to now, in the order of the sockets; and forgets it. */
  async settle() {
    const n = ++this.marks;
    (await this.marker).emit('mark', n);
    await Promise.all(this.sockets.map(async (s) => assert.equal(await this.boxes.get(s).next(), n)));
    const all = this.sockets.map((s) => this.logs.get(s));
    for (const s of this.sockets) this.logs.set(s, []);
    return all;
  }
  /* Those whom `who` chooses have heard exactly these events, the others nothing. */
  async heard(who, ...events) {
    const logs = await this.settle();
    for (const [i, s] of this.sockets.entries())
      assert.deepEqual(logs[i], who(s) ? events : [], `client ${i} (gateway ${s.g}, kind ${s.k}, ${s.id})`);
  }
}

const everybody = () => true;
const nobody = () => false;

/* What is published on the response channels, told apart by the requests' ids, as {channel, text}; and the
 * requests. PSUBSCRIBE: a listener that is counted would be waited for. */
class Wire {
  static async open(t, redis, key = 'socket.io') {
    const wire = new Wire();
    wire.requests = new Inbox('requests');
    wire.responses = [];
    wire.client = await redisClient(t, redis);
    const sub = await redisClient(t, redis);
    await sub.pSubscribe(`${key}-request#*`, (m) => wire.requests.put(decoded(m)), true);
    await sub.pSubscribe(`${key}-response#*`, (m, channel) =>
      wire.responses.push({ channel: channel.toString(), ...decoded(m) }), true);
    wire.sub = sub;
    return wire;
  }
  publish(channel, message) {
    return this.client.publish(channel, Buffer.isBuffer(message) ? message : JSON.stringify(message));
  }
  /* All answers to that request that were published until now. */
  async answers(id) {
    await within(this.sub.ping(), 'ping of the tap');
    return this.responses.filter((r) => r.requestId === id);
  }
}

const decoded = (m) => (m[0] === 0x7b ? JSON.parse(m.toString()) : notepack.decode(m));

/* Stops a program and wakes it at the end, so that it can be ended in good order. */
function freeze(t, program) {
  program.child.kill('SIGSTOP');
  atEnd(t, () => program.child.kill('SIGCONT'));
}

module.exports = {
  act, allowed, Crowd, everybody, everyKind, fixtures, freeze, KINDS, nobody, notepack, OK, ROUTES, values, Wire,
};
