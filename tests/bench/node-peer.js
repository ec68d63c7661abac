// What Peal is measured beside: Node's Socket.IO as its users run it. A JWT is verified at connect,
// its `rooms` are joined, every `message` goes to all and every `room` to the room that its first
// argument names. The secret comes from PEAL_AUTH_SECRET; with PEAL_REDIS_URL it is one of several
// servers, joined by the official adapter.
"use strict";

const { createServer } = require("http");
const { createAdapter } = require("@socket.io/redis-adapter");
const jwt = require("jsonwebtoken");
const { createClient } = require("redis");
const { Server } = require("socket.io");

const secret = process.env.PEAL_AUTH_SECRET;
const url = process.env.PEAL_REDIS_URL;
const http = createServer();
const io = new Server(http);

io.use((socket, next) => {
  const token = socket.handshake.auth.token || socket.handshake.query.token || "";
  jwt.verify(token, secret, { algorithms: ["HS256"] }, (err, claims) => {
    if (err) return next(new Error("Authentication error"));
    socket.data.claims = claims;
    socket.join([`user:${claims.sub}`, ...(claims.rooms || [])]);
    next();
  });
});

io.on("connection", (socket) => {
  socket.on("message", (message) => io.emit("message", message));
  socket.on("room", (room, message) => io.to(room).emit("room", room, message));
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
