// What Peal is measured beside: Node's Socket.IO as its users run it. A JWT is verified at connect,
// its `rooms` are joined, every `message` goes to all and every `room` to the room that its first
// argument names; `room` and `echo` are acknowledged if the client asks. The secret comes from
// PEAL_AUTH_SECRET; BENCH_KEYS names a folder with public keys for tokens that have a `kid`; with
// PEAL_REDIS_URL it is one of several servers, joined by the official adapter.
"use strict";

const { createPublicKey } = require("crypto");
const { readFileSync } = require("fs");
const { createServer } = require("http");
const { createAdapter } = require("@socket.io/redis-adapter");
const jwt = require("jsonwebtoken");
const { createClient } = require("redis");
const { Server } = require("socket.io");

const secret = process.env.PEAL_AUTH_SECRET;
const folder = process.env.BENCH_KEYS;
const url = process.env.PEAL_REDIS_URL;
const http = createServer();
const io = new Server(http);
const keys = new Map();

function keyOf(header, callback) {
  if (!header.kid) return callback(null, secret);
  if (!keys.has(header.kid)) {
    keys.set(header.kid, createPublicKey(readFileSync(`${folder}/${header.kid}.pem`)));
  }
  callback(null, keys.get(header.kid));
}

io.use((socket, next) => {
  const token = socket.handshake.auth.token || socket.handshake.query.token || "";
  const done = (err, claims) => {
    if (err) return next(new Error("Authentication error"));
    socket.data.claims = claims;
    socket.join([`user:${claims.sub}`, ...(claims.rooms || [])]);
    next();
  };
  if (folder) jwt.verify(token, keyOf, { algorithms: ["HS256", "RS256", "ES256"] }, done);
  else jwt.verify(token, secret, { algorithms: ["HS256"] }, done);
});

io.on("connection", (socket) => {
  socket.on("message", (message) => io.emit("message", message));
  socket.on("room", (room, message, ack) => {
    io.to(room).emit("room", room, message);
    if (ack) ack({ status: "ok" });
  });
  socket.on("echo", (message, ack) => ack({ status: "ok" }));
});

async function start() {
  if (url) {
    const [pub, sub] = [createClient({ url }), createClient({ url })];
    await Promise.all([pub.connect(), sub.connect()]);
    io.adapter(createAdapter(pub, sub));
  }
  http.listen(0, "127.0.0.1", () => console.error(`msg=listening port=${http.address().port}`));
}

start();
