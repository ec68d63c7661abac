#!/usr/bin/python3
"""A chat's backend in Flask: Peal's worker posts what happens in the namespace /chat, and does what the
answers say (docs/handlers-python.md). Rooms, the last 50 messages of each, private messages, and who is there.

    PEAL_WORKER_HTTP_SECRET       the worker's worker.http_secret (required, or …)
    PEAL_WORKER_HTTP_SECRET_FILE  … the file that holds it
    REDIS_URL                     where it remembers (none: in memory, for one process)
    PEAL_DEMO_BACKEND_HOST, _PORT where it listens (127.0.0.1, 8001)
"""
import hashlib, hmac, json, logging, os, sys, threading, time

import flask
from werkzeug.serving import WSGIRequestHandler, make_server

from memory import Memory

SECRET = os.environ.get("PEAL_WORKER_HTTP_SECRET", "").encode()
if not SECRET:
    with open(os.environ["PEAL_WORKER_HTTP_SECRET_FILE"], "rb") as file:
        SECRET = file.read().rstrip(b"\r\n")
if url := os.environ.get("REDIS_URL"):
    import redis
    store = redis.Redis.from_url(url, decode_responses=True)
else:
    store = Memory()
app = flask.Flask(__name__)
lock = threading.Lock()


def check_signature(request):
    parts = dict(part.partition("=")[::2] for part in request.headers.get("Peal-Signature", "").split(","))
    stamp = parts.get("t", "")
    wanted = hmac.new(SECRET, stamp.encode() + b"." + request.get_data(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(wanted.encode(), parts.get("v1", "").encode()) or abs(time.time() - int(stamp)) > 300:
        flask.abort(401)


def people(room):
    """Answers to different sockets' items may overtake each other: the time says which list is the last."""
    names = sorted(set(store.hvals(f"chat:people:{room}")))
    return {"event": "people", "to": [room], "args": [names, time.time_ns() // 1000]}


def leave(item):
    room = (item["data"] or {}).get("room")
    if not room:
        return {}
    store.hdel(f"chat:people:{room}", item["sid"])
    return {"leave": [room], "emit": [people(room)]}


def enter(item, room):
    if not isinstance(room, str) or not 1 <= len(room) <= 32 or not room.isprintable():
        return {"error": {"message": "a room's name has 1 to 32 visible characters"}}
    left = leave(item)
    store.hset(f"chat:people:{room}", item["sid"], item["user"])
    history = [json.loads(text) for text in store.lrange(f"chat:history:{room}", 0, -1)]
    told = {"event": "room", "to": [item["sid"]], "args": [{"room": room, "history": history}]}
    return {"leave": left.get("leave", []), "join": [room], "data": {"room": room},
            "emit": left.get("emit", []) + [told, people(room)], **({"ack": ["ok"]} if item["type"] == "event" else {})}


def say(item, text):
    room = (item["data"] or {}).get("room")
    message = {"from": item["user"], "text": str(text)[:2000], "at": item["time"]}
    store.rpush(f"chat:history:{room}", json.dumps(message))
    store.ltrim(f"chat:history:{room}", -50, -1)
    return {"emit": {"event": "said", "to": [room], "args": [message]}, "ack": ["ok"]}


def whisper(item, user, text):
    message = {"from": item["user"], "to": str(user), "text": str(text)[:2000], "at": item["time"]}
    return {"emit": {"event": "whisper", "user": [message["to"], item["user"]], "args": [message]}, "ack": ["ok"]}


EVENTS = {"enter": enter, "say": say, "whisper": whisper}


@app.post("/peal")
def peal():
    check_signature(flask.request)
    item = flask.request.get_json()
    with lock:
        if answer := store.get(f"chat:item:{item['id']}"):  # it has been done; the first answer was lost
            return app.response_class(answer, mimetype="application/json")
        if item["type"] == "event":
            answer = EVENTS[item["event"]](item, *item["args"]) if item["event"] in EVENTS else {
                "error": {"message": f"there is no event {item['event']}"}}
        else:
            answer = enter(item, "general") if item["type"] == "connect" else leave(item)
            answer.pop("leave", None)  # who is gone is in no room, who comes in none yet
        answer = json.dumps(answer)
        store.set(f"chat:item:{item['id']}", answer, ex=600)
    return app.response_class(answer, mimetype="application/json")


@app.get("/healthz")
def health():
    return "ok\n"


if __name__ == "__main__":
    host = os.environ.get("PEAL_DEMO_BACKEND_HOST", "127.0.0.1")
    port = int(os.environ.get("PEAL_DEMO_BACKEND_PORT", "8001"))
    WSGIRequestHandler.protocol_version = "HTTP/1.1"  # keeps connections open
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # no line for each message
    try:
        server = make_server(host, port, app, threaded=True)
    except OSError as why:
        sys.exit(f"backend: cannot listen on {host} port {port}: {why.strerror}")
    print(f"backend: listening on http://{host}:{port}/peal", file=sys.stderr)
    server.serve_forever()
