"""What every backend of Peal's workers needs around its own logic, and nothing of a chat: signatures are
checked, an item that comes twice gets its first answer again (docs/handlers-python.md), and a server.

    PEAL_WORKER_HTTP_SECRET       the worker's worker.http_secret (required, or …)
    PEAL_WORKER_HTTP_SECRET_FILE  … the file that holds it
    REDIS_URL                     where the store is (none: in memory, for one process)
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
lock = threading.Lock()


def check_signature(request):
    parts = dict(part.partition("=")[::2] for part in request.headers.get("Peal-Signature", "").split(","))
    stamp = parts.get("t", "")
    wanted = hmac.new(SECRET, stamp.encode() + b"." + request.get_data(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(wanted.encode(), parts.get("v1", "").encode()) or abs(time.time() - int(stamp)) > 300:
        flask.abort(401)


def app_of(handle):
    """A Flask application whose /peal answers each item by handle(item), which gives a dict of commands."""
    app = flask.Flask("backend")

    @app.post("/peal")
    def peal():
        check_signature(flask.request)
        item = flask.request.get_json()
        with lock:
            answer = store.get(f"chat:item:{item['id']}")
            if not answer:  # else it has been done; the first answer was lost
                answer = json.dumps(handle(item))
                store.set(f"chat:item:{item['id']}", answer, ex=600)
        return app.response_class(answer, mimetype="application/json")

    @app.get("/healthz")
    def health():
        return "ok\n"

    return app


def serve(app):
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
