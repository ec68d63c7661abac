/* The demo chat: log in for a token, connect with the stock client, talk.
 *
 * What an application of your own needs is in connect() and renew(); the rest is display. Everything
 * that comes from the network is shown with textContent, never as HTML. */
'use strict';

const config = window.PEAL_DEMO || {};
const LOGIN_URL = config.loginUrl ||
  `${location.protocol}//${location.hostname}:${config.loginPort || 8000}/login`;
const CLIENT = { forceNew: true, ...(config.transports && { transports: config.transports }) };
const MAX_ROWS = 500;
const MAX_SHOWN = 4000;

const $ = (id) => document.getElementById(id);
let session = null; // { name, wanted, ttl, token, since, until, warned, refused }; ttl in seconds
let socket = null;
let renewTimer = 0;
let renewing = false;
const unconfirmed = new Map(); // id of an own message -> its row, until the server sends it back

/* ---- login and token */

async function fetchToken(username, ttl) {
  let response;
  try {
    response = await fetch(LOGIN_URL, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ username, ttl }),
    });
  } catch {
    throw new Error(`The login service at ${LOGIN_URL} does not answer.`);
  }
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(body.error || `The login service answered ${response.status}.`);
  return body;
}

function useToken({ token, expires_in, username }, wanted) {
  const now = Date.now();
  session = { name: username, wanted, ttl: expires_in, token, since: now,
    until: now + expires_in * 1000, warned: false, refused: false };
  clearTimeout(renewTimer);
  $('who').textContent = username;
  if (socket) socket.io.opts.query = { token }; // the next reconnect uses it
  if (rooms?.connected) rooms.emit('authenticate', { token });
  showLife();
}

async function renew() {
  if (!session || renewing) return;
  renewing = true;
  $('renew').disabled = true;
  const asked = session;
  try {
    const answer = await fetchToken(asked.name, asked.wanted);
    if (session !== asked) return; // logged out meanwhile
    if (socket.connected) await authenticate(answer.token);
    if (session !== asked) return;
    useToken(answer, asked.wanted);
    note(`Token renewed, good until ${clock(session.until, true)}`);
  } catch (error) {
    if (session === asked) alertUser('The token was not renewed.', error.message);
  } finally {
    renewing = false;
    $('renew').disabled = false;
  }
}

/* Hands the live socket a new token; it may only be for the same user. */
function authenticate(token) {
  const target = socket;
  return new Promise((resolve, reject) => {
    const settle = (done) => (value) => {
      target.off('authenticated', onYes);
      target.off('unauthorized', onNo);
      done(value);
    };
    const onYes = settle(resolve);
    const onNo = settle((why) => reject(new Error(reasonOf(why))));
    target.once('authenticated', onYes);
    target.once('unauthorized', onNo);
    target.timeout(10000).emit('authenticate', { token }, (error, answer) => {
      if (error) settle(reject)(new Error('The gateway did not answer.'));
      else if (isRefusal(answer)) onNo(answer);
      else onYes();
    });
  });
}

/* ---- connection */

function connect() {
  socket = io({ ...CLIENT, query: { token: session.token }, autoConnect: false });

  socket.on('connect', () => {
    hideAlert();
    setState('connected', 'Connected');
    $('sid').textContent = socket.id;
    showTransport(socket.io.engine.transport.name);
    socket.io.engine.on('upgrade', (transport) => {
      showTransport(transport.name);
      note(`Upgraded to ${transport.name}`);
    });
    note(`Connected by ${socket.io.engine.transport.name}`);
  });

  socket.on('connect_error', (error) => {
    showTransport('');
    if (socket.active) return setState('reconnecting', 'Reconnecting', error.message);
    refused(error);
    if (isExpired() && $('auto-renew').checked) reconnectRenewed();
  });

  socket.on('disconnect', (reason, details) => {
    const why = closeWords(reason);
    $('sid').textContent = '–';
    $('close-reason').textContent = `${why} (${reason})`;
    showTransport('');
    setState(socket.active ? 'reconnecting' : 'offline', socket.active ? 'Reconnecting' : 'Disconnected',
      details?.description?.message || why);
    note(`Disconnected: ${why}`, 'warn');
    if (reason === 'io server disconnect' && isExpired()) {
      session.until = Date.now();
      if ($('auto-renew').checked) reconnectRenewed();
    }
  });

  socket.io.on('reconnect_attempt', (n) => setState('reconnecting', 'Reconnecting', `attempt ${n}`));

  socket.on('message', showMessage);

  socket.on('token_expiring', () => {
    session.warned = true;
    if ($('auto-renew').checked) renewSoon();
    else note('The token is about to expire', 'warn');
  });

  socket.on('unauthorized', (why) => {
    if (!renewing) alertUser('Unauthorized:', describe(why));
  });

  if (config.rooms) connectRooms(socket);
  open();
}

function open() {
  setState('connecting', 'Connecting');
  socket.connect();
}

async function reconnectRenewed() {
  await renew();
  if (session && !isExpired() && !socket.active) open();
}

/* Tokens count whole seconds, so one may end a second before our clock says so. */
function isExpired() {
  return Date.now() >= session.until - 1500;
}

/* A token that lives shorter than the server's warning would be renewed in a circle: not before half its life. */
function renewSoon() {
  clearTimeout(renewTimer);
  renewTimer = setTimeout(renew, Math.max(0, session.since + session.ttl * 500 - Date.now()));
}

/* A connection beside the live one, with the signature spoilt. Its last character stays: it carries
 * bits that must be zero, and a wrong one there is no signature at all. */
function tryBadToken() {
  const [head, body, mac] = session.token.split('.');
  const spoilt = [head, body, [...mac.slice(0, -1)].reverse().join('') + mac.at(-1)].join('.');
  const other = io({ ...CLIENT, query: { token: spoilt }, reconnection: false });
  $('bad-token').disabled = true;
  const done = () => {
    other.disconnect();
    $('bad-token').disabled = false;
  };
  other.on('connect', () => {
    alertUser('Let in with a bad token!', 'This should not happen.');
    done();
  });
  other.on('connect_error', (error) => {
    alertUser(`Refused: ${error.message}`, describe(error.data));
    note('A connection with a bad token was refused', 'warn');
    done();
  });
}

function refused(error) {
  session.refused = true; // for instance after a restart with another secret
  setState('refused', 'Refused', reasonOf(error.data) || error.message);
  alertUser(`Refused: ${error.message}`, describe(error.data));
  note(`Refused: ${reasonOf(error.data) || error.message}`, 'warn');
}

function closeWords(reason) {
  if (reason === 'io server disconnect' && isExpired()) return 'the token expired';
  return {
    'io server disconnect': 'the server closed the connection',
    'io client disconnect': 'you disconnected',
    'ping timeout': 'the server went silent',
    'transport close': 'the connection was lost',
    'transport error': 'the connection failed',
  }[reason] || reason;
}

/* Refusals come as {message, code} or, in socketio-jwt's form, {message, data: {message, code}}. */
function reasonOf(why) {
  return String(why?.data?.message || why?.message || why?.error || '');
}

function describe(why) {
  const code = why?.data?.code || why?.code;
  return [reasonOf(why), code && `(${code})`].filter(Boolean).join(' ');
}

function isRefusal(answer) {
  return Boolean(answer && typeof answer === 'object' && (answer.error || answer.code));
}

/* ---- messages */

function send(text) {
  const message = { id: Math.random().toString(36).slice(2), from: session.name, text, at: Date.now() };
  const row = addRow(message, true);
  unconfirmed.set(message.id, row);
  socket.timeout(10000).emit('message', message, (error, answer) => {
    const failed = error || isRefusal(answer);
    row.classList.add(failed ? 'failed' : 'acked');
    row.querySelector('.tick').textContent = failed ? '!' : '✓';
    row.querySelector('.tick-words').textContent = failed ? 'not taken' : 'taken by the server';
    if (failed) {
      unconfirmed.delete(message.id);
      alertUser('The message was not taken.', error ? 'The server did not answer.' : describe(answer));
    }
  });
}

function showMessage(message) {
  const own = message && unconfirmed.get(message.id);
  if (own) {
    unconfirmed.delete(message.id);
    place(own); // everyone sees the server's order, the sender too
  } else {
    addRow(message, false);
  }
}

function addRow(message, own) {
  const { from, text, at } = readMessage(message);
  const row = document.createElement('li');
  row.className = own ? 'row own' : 'row';
  row.dataset.from = from;
  row.style.setProperty('--hue', hueOf(from));

  const bubble = add(row, 'div', 'bubble');
  const name = add(bubble, 'span', 'from', from);
  if (own) name.classList.add('visually-hidden');
  add(bubble, 'p', 'text', text);
  const foot = add(bubble, 'span', 'foot');
  const time = add(foot, 'time', '', clock(at));
  time.dateTime = new Date(at).toISOString();
  if (own) {
    add(foot, 'span', 'tick', '·').setAttribute('aria-hidden', 'true');
    add(foot, 'span', 'tick-words visually-hidden', 'sending');
  }
  place(row);
  return row;
}

/* Another client may have sent anything. */
function readMessage(message) {
  const plain = message === null || typeof message !== 'object';
  const text = plain ? message : message.text ?? JSON.stringify(message);
  const at = plain ? NaN : new Date(message.at).getTime();
  return {
    from: plain || !message.from ? 'someone' : String(message.from).slice(0, 32),
    text: String(text).slice(0, MAX_SHOWN),
    at: Number.isFinite(at) ? at : Date.now(),
  };
}

function note(text, kind = '') {
  const row = document.createElement('li');
  row.className = `note ${kind}`;
  add(row, 'span', '', text);
  add(row, 'time', '', clock(Date.now()));
  place(row);
}

function place(row) {
  const list = $('messages');
  const scroll = $('scroll');
  const atEnd = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 80;
  const follower = row.nextElementSibling;
  if (row.parentNode !== list || follower) list.append(row);
  if (follower) group(follower);
  group(row);
  while (list.children.length > MAX_ROWS) list.firstElementChild.remove();
  $('empty').hidden = Boolean(list.querySelector('.row'));
  if (atEnd || row.classList.contains('own')) scroll.scrollTop = scroll.scrollHeight;
}

/* Rows of one speaker stand together under one name. */
function group(row) {
  const before = row.previousElementSibling;
  row.classList.toggle('joined', Boolean(before && row.dataset.from !== undefined &&
    before.dataset.from === row.dataset.from && before.classList.contains('own') === row.classList.contains('own')));
}

/* ---- display */

function add(parent, tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
}

function setState(state, words, detail = '') {
  document.body.dataset.state = state;
  $('state').textContent = words;
  $('state-detail').textContent = detail ? `${words}: ${detail}` : words;
  const live = Boolean(socket && socket.active);
  $('toggle-connection').textContent = live ? 'Disconnect' : 'Connect';
  $('send').disabled = state !== 'connected';
  $('text').placeholder = state === 'connected' ? 'Message' : 'Not connected';
}

function showTransport(name) {
  $('transport').textContent = name;
  $('transport-detail').textContent = name || '–';
}

function alertUser(title, text = '') {
  $('alert').hidden = false;
  $('alert-title').textContent = title;
  $('alert-text').textContent = text;
}

function hideAlert() {
  $('alert').hidden = true;
}

function showLife() {
  if (!session) return;
  const left = Math.max(0, session.until - Date.now());
  const seconds = Math.ceil(left / 1000);
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const pad = (n) => String(n).padStart(2, '0');
  $('expires').textContent = left ? (h ? `${h}:${pad(m)}:${pad(s)}` : `${m}:${pad(s)}`) : 'expired';
  $('life').style.width = `${(100 * left) / (session.ttl * 1000)}%`;
  document.body.classList.toggle('token-low', left < Math.min(session.ttl * 250, 60000));
}

function clock(at, seconds = false) {
  return new Date(at).toLocaleTimeString([],
    { hour: '2-digit', minute: '2-digit', second: seconds ? '2-digit' : undefined });
}

function hueOf(name) {
  let hash = 0;
  for (const c of name) hash = (hash * 31 + c.codePointAt(0)) % 360;
  return hash;
}

function show(view) {
  document.body.classList.toggle('has-rooms', Boolean(config.rooms));
  document.body.dataset.view = view;
  $('login-view').hidden = view !== 'login';
  $('chat-view').hidden = view !== 'chat';
  $(view === 'chat' ? 'text' : 'name').focus();
}

/* ---- what the user does */

$('login-form').addEventListener('submit', async (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  $('join').disabled = true;
  $('login-error').hidden = true;
  try {
    if (typeof io === 'undefined') throw new Error('The gateway does not serve socket.io.js (gateway.client_dir).');
    const ttl = Number(form.get('ttl'));
    useToken(await fetchToken(form.get('username'), ttl), ttl);
    show('chat');
    connect();
  } catch (error) {
    $('login-error').textContent = error.message;
    $('login-error').hidden = false;
  } finally {
    $('join').disabled = false;
  }
});

$('composer').addEventListener('submit', (event) => {
  event.preventDefault();
  const text = $('text').value.trim();
  if (!text || !socket.connected) return;
  send(text);
  $('text').value = '';
  $('text').focus();
});

$('toggle-connection').addEventListener('click', () => {
  if (socket.active) {
    const wasConnected = socket.connected;
    socket.disconnect(); // the disconnect handler shows it, if there was a connection
    if (!wasConnected) setState('offline', 'Disconnected', closeWords('io client disconnect'));
  } else if ($('auto-renew').checked && (session.refused || isExpired())) {
    reconnectRenewed();
  } else {
    open();
  }
});

$('leave').addEventListener('click', () => {
  session = { ...session, until: Infinity }; // no "expired" while it closes
  leaveRooms();
  socket.disconnect();
  socket.off();
  socket = null;
  session = null;
  clearTimeout(renewTimer);
  unconfirmed.clear();
  $('messages').replaceChildren();
  $('empty').hidden = false;
  $('close-reason').textContent = '–';
  hideAlert();
  show('login');
});

$('auto-renew').addEventListener('change', () => {
  if ($('auto-renew').checked && session.warned) renewSoon();
  else clearTimeout(renewTimer);
});

$('panel-toggle').addEventListener('click', () => {
  const open = document.body.classList.toggle('panel-open');
  $('panel-toggle').setAttribute('aria-expanded', String(open));
});

$('renew').addEventListener('click', renew);
$('bad-token').addEventListener('click', tryBadToken);
$('alert-close').addEventListener('click', hideAlert);
setInterval(showLife, 500);
