/* Steady traffic on several gateways while something breaks, and the judgement afterwards.
 *
 *   const traffic = await startTraffic(t, gws);
 *   … break something, mend it …
 *   await traffic.hearsAgain(4000);
 *   await traffic.judge({ refusals: ['bus_uncertain'] });
 *
 * Each client emits numbered `message` events with acks (route `all`) and keeps all that it hears, so
 * in the end it is known of each message who should have heard it. What judge() demands:
 *
 *   - each event was answered: ok, or one of the errors that the test expects
 *   - nobody heard anything twice; of one sender all heard in its order; and what any two clients heard
 *     both, they heard in the same order
 *   - what was acked ok, or heard by anybody, was heard by all, but for the time of a gap that the gateway
 *     has counted
 *   - what was refused (bus_unavailable, too_large) was heard by nobody */
'use strict';
const assert = require('node:assert');
const { accepted, ask, client, until } = require('./harness');
const { isSanitized, metrics, ready, rss } = require('./cluster_harness');

const SLACK = 300; // ms by which clocks of log, gateway and test may differ on a busy machine

/* The gaps that a gateway has told: {from, to} in ms since 1970. */
function gapsOf(gw) {
  return gw.lines.filter((l) => /bus gap ms=/.test(l)).map((l) => {
    const to = Date.parse(/time=(\S+)/.exec(l)[1]);
    return { from: to - Number(/bus gap ms=(\d+)/.exec(l)[1]), to };
  });
}

class Speaker {
  constructor(traffic, index) {
    this.traffic = traffic;
    this.index = index;
    this.next = 0;
    this.log = []; // keys of messages, as they came
    this.seen = new Set();
    this.twice = [];
    this.ends = new Set(); // who has said that all is said
    this.latest = 0; // when the latest of the heard messages was sent
    this.away = []; // {from, to}: without a connection
    this.gapEvents = [];
  }
  async connect(gw) {
    this.gw = gw;
    this.socket = client(this.traffic.t, gw);
    this.socket.on('message', (from, n) => this.hear(from, n));
    this.socket.on('bus_gap', (info) => this.gapEvents.push(info));
    this.socket.on('disconnect', (reason) => { if (reason !== 'io client disconnect') this.lost(); });
    await accepted(this.socket);
  }
  hear(from, n) {
    if (n === 'end') {
      this.ends.add(from);
      return;
    }
    const key = `${from}:${n}`;
    if (this.seen.has(key)) this.twice.push(key);
    this.seen.add(key);
    this.log.push(key);
    this.latest = Math.max(this.latest, this.traffic.sent.get(key).at);
  }
  speak() {
    if (!this.socket.connected) return;
    const key = `${this.index}:${this.next}`;
    const message = { at: Date.now(), outcome: '' };
    this.traffic.sent.set(key, message);
    this.socket.emit('message', this.index, this.next++, (answer) => {
      assert.equal(message.outcome, '', `second ack of ${key}`);
      message.outcome = answer.status === 'ok' ? 'ok' : answer.code;
      message.ended = Date.now();
    });
  }
  /* The gateway is gone: on to the next one that is there. Nobody will answer what was asked. */
  async lost() {
    const absence = { from: Date.now() - SLACK, to: Infinity };
    this.away.push(absence);
    for (const [key, m] of this.traffic.sent) {
      if (key.startsWith(`${this.index}:`) && !m.outcome) Object.assign(m, { outcome: 'lost', ended: Date.now() });
    }
    const others = this.traffic.gws.filter((g) => g !== this.gw && !g.stopped);
    await this.connect(others[this.index % others.length]);
    absence.to = Date.now();
  }
}

class Traffic {
  constructor(t, gws, period) {
    this.t = t;
    this.gws = gws;
    this.period = period;
    this.sent = new Map(); // key → {at, ended, outcome}
  }
  async start(clients) {
    this.speakers = Array.from({ length: clients }, (_, i) => new Speaker(this, i));
    await Promise.all(this.speakers.map((s, i) => s.connect(this.gws[i % this.gws.length])));
    let turn = 0;
    this.pace = setInterval(() => this.speakers[turn++ % clients].speak(), this.period / clients);
    this.t.after(() => clearInterval(this.pace));
    await this.hearsAgain(5000);
    await this.goesOn(1000);
    this.rss = this.gws.map(rss);
  }
  of(gw) {
    return this.speakers.filter((s) => s.gw === gw);
  }
  /* Goes on for about that long: until so much more was said. */
  async goesOn(ms) {
    const n = this.sent.size + Math.ceil(ms * this.speakers.length / this.period);
    await until(() => this.sent.size >= n, 'the traffic goes on', ms * 5 + 10000);
  }
  /* Every client (of gw) hears something that was said from now on; gives how long that took. */
  async hearsAgain(ms, gw) {
    const start = Date.now();
    const who = gw ? this.of(gw) : this.speakers;
    const deaf = () => who.filter((s) => s.latest < start);
    await until(() => !deaf().length, 'every client hears again', ms).catch((error) => {
      const where = this.gws.map((g) => deaf().filter((s) => s.gw === g).length);
      throw new Error(`${error.message}; deaf clients by gateway: ${where}\n${this.logs()}`);
    });
    this.t.diagnostic(`heard again after ${Date.now() - start} ms`);
    return Date.now() - start;
  }
  logs() {
    return this.gws.map((g) => `--- ${g.url}\n${g.log.slice(-3000)}`).join('\n');
  }
  outcomes(from = 0, to = Infinity) {
    const n = {};
    for (const m of this.sent.values()) if (m.at >= from && m.at <= to) n[m.outcome] = (n[m.outcome] || 0) + 1;
    return n;
  }
  /* Nothing is said any more, all is answered, and everybody has heard the last word of everybody: what
   * has not come by then does not come. */
  async finish() {
    await this.goesOn(500);
    clearInterval(this.pace);
    const open = () => [...this.sent.values()].filter((m) => !m.outcome).length;
    await until(() => !open(), 'every event is answered', 15000).catch((e) => {
      throw new Error(`${e.message}; ${open()} are not\n${this.logs()}`);
    });
    await Promise.all(this.gws.filter((g) => !g.stopped).map((g) => ready(g)));
    await Promise.all(this.speakers.map((s) => until(async () =>
      (await ask(s.socket, 'message', s.index, 'end'))[0].status === 'ok', 'the last word is taken', 10000)));
    await until(() => this.speakers.every((s) => s.ends.size === this.speakers.length), 'the last word is heard', 10000);
  }
  /* refusals: error codes of acks that this fault may cause. gaps: how many gaps each gateway may have
   * counted, [least, most]. split: two Redis took messages for a while; then a gap that the sender's
   * gateway counts is the others' gap, too. */
  async judge({ refusals = [], gaps = [0, 0], split = false } = {}) {
    await this.finish();
    const alive = this.gws.filter((g) => !g.stopped);
    for (const gw of alive) {
      const told = gapsOf(gw).length;
      assert.ok(told >= gaps[0] && told <= gaps[1], `${told} gaps, expected ${gaps}\n${gw.log.slice(-3000)}`);
      assert.equal((await metrics(gw)).sum('peal_bus_gaps_total'), told, 'each gap is counted and logged once');
    }
    for (const [key, m] of this.sent) assert.ok(['ok', ...refusals].includes(m.outcome), `${key}: ${m.outcome}`);
    for (const s of this.speakers) assert.deepEqual(s.twice, [], `client ${s.index} heard these twice`);
    this.checkOrder();
    const missed = this.checkHeard(split);
    this.checkMemory(alive);
    this.t.diagnostic(`${this.sent.size} events: ${JSON.stringify(this.outcomes())}; in gaps not heard: ${missed}`);
  }
  checkOrder() {
    for (const s of this.speakers) {
      const last = new Map();
      for (const key of s.log) {
        const [from, n] = key.split(':').map(Number);
        assert.ok(!(last.get(from) >= n), `client ${s.index} heard ${key} after ${last.get(from)}`);
        last.set(from, n);
      }
    }
    const places = this.speakers.map((s) => new Map(s.log.map((key, i) => [key, i])));
    for (const s of this.speakers) {
      for (const [i, other] of places.entries()) {
        let at = -1;
        for (const key of s.log) {
          const place = other.get(key);
          if (place === undefined) continue;
          assert.ok(place > at, `clients ${s.index} and ${i} heard ${key} in different order`);
          at = place;
        }
      }
    }
  }
  /* Gives how many were missed in gaps. What was not acked ok and is on the bus all the same may have been
   * published at any time since. */
  checkHeard(split) {
    let missed = 0;
    const known = new Set(this.speakers.flatMap((s) => s.log));
    for (const [key, m] of this.sent)
      assert.ok(!['bus_unavailable', 'too_large'].includes(m.outcome) || !known.has(key), `${key} was refused and is heard`);
    for (const s of this.speakers) {
      const excuses = [...(split ? this.gws.flatMap(gapsOf) : gapsOf(s.gw)), ...s.away];
      for (const [key, m] of this.sent) {
        if (s.seen.has(key) || (m.outcome !== 'ok' && !known.has(key))) continue;
        const until = m.outcome === 'ok' ? m.ended : Infinity;
        assert.ok(excuses.some((e) => m.at <= e.to + SLACK && until >= e.from - SLACK),
          `client ${s.index} has not heard ${key}, sent ${m.at}, ${m.outcome} ${m.ended}; gaps ${JSON.stringify(excuses)}`);
        missed++;
      }
    }
    return missed;
  }
  /* The sanitizer keeps what was freed; without it some MiB are the allocator's. */
  checkMemory(gws) {
    for (const gw of gws) {
      if (isSanitized(gw)) continue;
      const before = this.rss[this.gws.indexOf(gw)];
      assert.ok(rss(gw) <= before + 8192, `resident memory grew from ${before} to ${rss(gw)} KiB`);
    }
  }
}

/* clients are spread over the gateways; each says something every period ms. */
async function startTraffic(t, gws, { clients = 30, period = 200 } = {}) {
  const traffic = new Traffic(t, gws, period);
  await traffic.start(clients);
  return traffic;
}

module.exports = { gapsOf, startTraffic };
