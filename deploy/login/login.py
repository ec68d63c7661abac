#!/usr/bin/python3
"""A login service: it signs the tokens that Peal's gateway checks. They share the secret, nothing else.

    POST /login   {"username": "ann", "ttl": 3600}   (JSON or form; ttl in seconds may be left out)
        200       {"token": "eyJ…", "expires_in": 3600, "username": "ann"}
        400 …     {"error": "what is wrong"}
    GET /healthz  {"status": "ok"}

    PEAL_AUTH_SECRET       the gateway's auth.secret (required, or …)
    PEAL_AUTH_SECRET_FILE  … the file that holds it, the gateway's auth.secret_file
    PEAL_DEMO_LOGIN_HOST   address to listen on (127.0.0.1)
    PEAL_DEMO_LOGIN_PORT   port (8000)

This is a demo: it believes any name. A real service checks a password (or a session, or another
service's word) where read_username() is called, and answers 401 before it signs anything.

The same in Flask (with "import os, time, jwt, flask" and flask-cors for pages from elsewhere):

    @app.post("/login")
    def login():
        user = check_password(flask.request.json)  # yours
        claims = {"sub": user.id, "name": user.name, "iat": int(time.time()), "exp": int(time.time()) + 3600}
        return {"token": jwt.encode(claims, os.environ["PEAL_AUTH_SECRET"], algorithm="HS256")}
"""

import json
import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import jwt  # PyJWT: Debian's python3-jwt

MAX_BODY = 10 * 1024
MAX_NAME = 32
TTL_DEFAULT, TTL_MIN, TTL_MAX = 3600, 10, 86400


class Refused(Exception):
    """The request is wrong; the client is told this status and these words."""

    def __init__(self, status, words):
        super().__init__(words)
        self.status = status


def read_username(fields):
    name = fields.get("username")
    if not isinstance(name, str):
        raise Refused(400, "username is missing")
    name = name.strip()
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
        raise Refused(400, f"username must be 1 to {MAX_NAME} visible characters")
    return name


def read_ttl(fields):
    try:
        ttl = int(str(fields.get("ttl", TTL_DEFAULT)))
    except ValueError:
        ttl = 0
    if not TTL_MIN <= ttl <= TTL_MAX:
        raise Refused(400, f"ttl must be {TTL_MIN} to {TTL_MAX} seconds")
    return ttl


def sign(username, ttl, secret):
    """sub is what the gateway knows the user by; a refreshed token must keep it."""
    now = int(time.time())
    claims = {"sub": username, "name": username, "iat": now, "exp": now + ttl}
    return jwt.encode(claims, secret, algorithm="HS256")


class Handler(BaseHTTPRequestHandler):
    timeout = 10  # a client that sends nothing does not keep its thread
    server_version, sys_version = "login", ""
    error_content_type = "application/json"
    error_message_format = '{"error": "HTTP error %(code)d"}\n'

    def do_POST(self):
        if self.route() != "/login":
            return self.answer(404, {"error": "not found"})
        try:
            fields = self.read_fields()
            username, ttl = read_username(fields), read_ttl(fields)
        except Refused as why:
            return self.answer(why.status, {"error": str(why)})
        token = sign(username, ttl, self.server.secret)
        return self.answer(200, {"token": token, "expires_in": ttl, "username": username})

    def do_GET(self):
        if self.route() == "/healthz":
            return self.answer(200, {"status": "ok"})
        return self.answer(404, {"error": "not found"})

    def do_OPTIONS(self):
        """A browser asks this before it posts JSON from a page of another origin."""
        self.answer(204, None)

    def route(self):
        return urlsplit(self.path).path

    def read_fields(self):
        try:
            length = int(self.headers.get("Content-Length", ""))
        except ValueError:
            raise Refused(411, "Content-Length is missing") from None
        if not 0 <= length <= MAX_BODY:
            raise Refused(413, f"the body may have {MAX_BODY} bytes")
        try:
            body = self.rfile.read(length).decode("utf-8")
            if self.headers.get_content_type() == "application/x-www-form-urlencoded":
                return dict(parse_qsl(body, max_num_fields=16))
            fields = json.loads(body)
        except (ValueError, RecursionError):
            raise Refused(400, "the body is neither JSON nor a form") from None
        if not isinstance(fields, dict):
            raise Refused(400, "the body is not a JSON object")
        return fields

    def answer(self, status, body):
        text = b"" if body is None else json.dumps(body).encode() + b"\n"
        self.send_response(status)
        # Any page may ask: nothing here depends on cookies. With cookies, name your own origin instead of *.
        self.send_header("Access-Control-Allow-Origin", "*")
        if self.command == "OPTIONS":
            self.send_header("Access-Control-Allow-Methods", "POST, OPTIONS")
            self.send_header("Access-Control-Allow-Headers", "Content-Type")
            self.send_header("Access-Control-Max-Age", "600")
        if body is not None:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(text)

    def log_request(self, code="-", size="-"):
        """One line without query and body: neither names nor tokens belong in a log."""
        path = self.path.split("?")[0] if getattr(self, "path", None) else "-"
        if path == "/healthz" and code == 200:
            return  # every few seconds
        request = f"{self.command} {path}"
        print(f"login: {self.client_address[0]} {request!a} {int(code)}", file=sys.stderr)

    def log_error(self, *args):
        """log_request has said it."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_port = False  # a second service on the port is a mistake

    def handle_error(self, request, client_address):
        print(f"login: {client_address[0]} {sys.exc_info()[0].__name__}", file=sys.stderr)


def read_secret():
    secret, path = os.environ.get("PEAL_AUTH_SECRET"), os.environ.get("PEAL_AUTH_SECRET_FILE")
    if not secret and path:
        try:
            with open(path, encoding="utf-8") as file:
                secret = file.read().removesuffix("\n")
        except (OSError, UnicodeDecodeError) as why:
            sys.exit(f"login: cannot read PEAL_AUTH_SECRET_FILE {path}: {getattr(why, 'strerror', None) or why}")
    if not secret:
        sys.exit("login: set PEAL_AUTH_SECRET to the secret that the gateway checks tokens with")
    return secret


def main():
    secret = read_secret()
    host = os.environ.get("PEAL_DEMO_LOGIN_HOST") or "127.0.0.1"
    try:
        port = int(os.environ.get("PEAL_DEMO_LOGIN_PORT") or 8000)
        server = Server((host, port), Handler)
    except (OSError, OverflowError, ValueError) as why:
        words = getattr(why, "strerror", None) or why
        sys.exit(f"login: cannot listen on {host} port {os.environ.get('PEAL_DEMO_LOGIN_PORT', 8000)}: "
                 f"{words}; PEAL_DEMO_LOGIN_PORT chooses another")
    server.secret = secret
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    print(f"login: listening on http://{host}:{port}/login", file=sys.stderr)
    with server:
        server.serve_forever()


if __name__ == "__main__":
    main()
