/* The second half of the demo: rooms, history, private messages and who is there. Nothing of this is in
 * the gateway: a Python backend answers the events of the namespace /chat (deploy/backend/backend.py). */
'use strict';

let rooms = null; // the socket of /chat
let room = '';
let listedAt = 0; // the backend's time of the list of people that is shown
let partner = ''; // whom the next message is for; '' is the room

function connectRooms(main) {
  rooms = main.io.socket('/chat', { auth: (tell) => tell({ token: session.token }) });
  rooms.on('connect_error', () => showRoomState('Rooms need the backend, which is not there.'));
  rooms.on('disconnect', (reason) => {
    listedAt = 0;
    $('people').replaceChildren();
    showRoomState('Not connected');
    if (reason === 'io server disconnect' && main.connected && !isExpired()) rooms.connect(); // its old token has ended
  });
  rooms.on('room', showRoom);
  rooms.on('people', showPeople);
  rooms.on('said', (message) => addRoomRow(message, message.from === session.name));
  rooms.on('whisper', (message) => addRoomRow(message, message.from === session.name, true));
  main.on('connect', () => rooms.connect());
  main.on('disconnect', () => main.active || rooms.disconnect());
}

function leaveRooms() {
  rooms?.off();
  rooms?.disconnect();
  rooms = null;
  room = '';
  listedAt = 0;
  $('room-messages').replaceChildren();
  $('people').replaceChildren();
  choosePartner('');
}

function askBackend(event, ...args) {
  if (!rooms?.connected) return;
  rooms.timeout(10000).emit(event, ...args, (error, answer) => {
    if (error || isRefusal(answer)) alertUser('The backend did not take it.', error ? 'It did not answer.' : describe(answer));
  });
}

function showRoom({ room: name, history }) {
  room = String(name);
  $('room-messages').replaceChildren();
  for (const message of history) addRoomRow(message, message.from === session.name);
  for (const button of document.querySelectorAll('#room-list button'))
    button.setAttribute('aria-pressed', String(button.dataset.room === room));
  showRoomState('');
  choosePartner('');
}

/* Lists from different workers may overtake each other: an older one is no news. */
function showPeople(names, at) {
  if (at < listedAt) return;
  listedAt = at;
  $('people').replaceChildren();
  for (const name of names) {
    const item = add($('people'), 'li', '');
    const own = name === session.name;
    const button = add(item, 'button', 'person', own ? `${name} (you)` : name);
    button.type = 'button';
    button.disabled = own;
    button.style.setProperty('--hue', hueOf(name));
    button.addEventListener('click', () => choosePartner(name));
  }
}

function addRoomRow(message, own, secret = false) {
  const { from, text, at } = readMessage(message);
  const row = add($('room-messages'), 'li', `row${own ? ' own' : ''}${secret ? ' secret' : ''}`);
  row.style.setProperty('--hue', hueOf(from));
  const bubble = add(row, 'div', 'bubble');
  if (secret) add(bubble, 'div', 'from', own ? `privately to ${message.to}` : `${from}, privately`);
  else if (!own) add(bubble, 'div', 'from', from);
  add(bubble, 'div', 'text', text);
  add(add(bubble, 'div', 'foot'), 'time', '', clock(at));
  $('room-scroll').scrollTop = $('room-scroll').scrollHeight;
}

function showRoomState(words) {
  $('room-state').textContent = words;
  $('room-state').hidden = !words;
}

function choosePartner(name) {
  partner = name;
  $('partner').hidden = !name;
  $('partner-name').textContent = name;
  $('room-text').placeholder = name ? `Privately to ${name}` : `Message to ${room || 'the room'}`;
  if (name) $('room-text').focus();
}

function showTab(name) {
  for (const tab of ['all', 'rooms']) {
    $(`tab-${tab}`).setAttribute('aria-selected', String(tab === name));
    $(`tab-${tab}`).tabIndex = tab === name ? 0 : -1;
    $(`pane-${tab}`).hidden = tab !== name;
  }
}

for (const tab of ['all', 'rooms']) {
  $(`tab-${tab}`).addEventListener('click', () => showTab(tab));
  $(`tab-${tab}`).addEventListener('keydown', (event) => {
    if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return;
    showTab(tab === 'all' ? 'rooms' : 'all');
    document.querySelector('[role=tab][aria-selected=true]').focus();
  });
}
for (const button of document.querySelectorAll('#room-list button'))
  button.addEventListener('click', () => askBackend('enter', button.dataset.room));
$('partner-off').addEventListener('click', () => choosePartner(''));
$('room-composer').addEventListener('submit', (event) => {
  event.preventDefault();
  const text = $('room-text').value.trim();
  if (!text || !rooms?.connected) return;
  if (partner) askBackend('whisper', partner, text);
  else askBackend('say', text);
  $('room-text').value = '';
});
