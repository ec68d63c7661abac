// What Peal is measured beside: Node's Socket.IO as its users run it. A JWT is verified at connect,
// and every `message` goes to all. The secret comes from PEAL_AUTH_SECRET.
"use strict";

const { createServer } = require("http");
const jwt = require("jsonwebtoken");
const { Server } = require("socket.io");

const secret = process.env.PEAL_AUTH_SECRET;
const http = createServer();
const io = new Server(http);

io.use((socket, next) => {
  const token = socket.handshake.auth.token || socket.handshake.query.token || "";
  jwt.verify(token, secret, { algorithms: ["HS256"] }, (err, claims) => {
    if (err) return next(new Error("Authentication error"));
    socket.data.claims = claims;
    socket.join(`user:${claims.sub}`);
    next();
  });
});

io.on("connection", (socket) => {
  socket.on("message", (message) => io.emit("message", message));
});

http.listen(0, "127.0.0.1", () => console.error(`msg=listening port=${http.address().port}`));
