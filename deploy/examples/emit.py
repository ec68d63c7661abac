#!/usr/bin/env python3
"""Emits to Socket.IO clients from Python, through the Redis that the gateways share. No server needed.

    emit.py message '"hello"'                              # every client of namespace /
    emit.py --to lobby --to staff news '{"n": 1}' 2        # clients in either room, event with two arguments
    emit.py --user ann --except busy note null             # one user's clients, but those in room "busy"

Needs python3-redis and python3-msgpack. In a program of yours, emit() below is all it takes.
"""
import argparse
import json

import msgpack
import redis


def emit(client, event, *args, to=(), user=None, exclude=(), nsp="/", key="socket.io"):
    """bytes in args arrive as binary. to: rooms; user: the `sub` of a token. Neither: everybody."""
    rooms = list(to) + ([f"user:{user}"] if user is not None else [])
    channel = f"{key}#{nsp}#" + (f"{rooms[0]}#" if len(rooms) == 1 else "")
    packet = {"type": 2, "data": [event, *args], "nsp": nsp}
    options = {"rooms": rooms, "except": list(exclude), "flags": {}}
    client.publish(channel, msgpack.packb(["emitter", packet, options]))


def main():
    p = argparse.ArgumentParser(description="Emits an event to Socket.IO clients through Redis.")
    p.add_argument("--redis", default="redis://127.0.0.1:6379", help="URL (default: %(default)s)")
    p.add_argument("--key", default="socket.io", help="the gateways' bus.key (default: %(default)s)")
    p.add_argument("--nsp", default="/", help="namespace (default: %(default)s)")
    p.add_argument("--to", action="append", default=[], metavar="ROOM", help="only clients in this room; repeatable")
    p.add_argument("--user", help="only clients of this user")
    p.add_argument("--except", action="append", default=[], dest="exclude", metavar="ROOM",
                   help="not clients in this room; repeatable")
    p.add_argument("event")
    p.add_argument("args", nargs="*", type=json.loads, help="arguments of the event, each as JSON")
    o = p.parse_args()
    client = redis.Redis.from_url(o.redis)
    emit(client, o.event, *o.args, to=o.to, user=o.user, exclude=o.exclude, nsp=o.nsp, key=o.key)


if __name__ == "__main__":
    main()
