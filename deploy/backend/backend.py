#!/usr/bin/python3
"""A chat's backend in Flask: Peal's worker posts what happens in the namespace /chat, and does what the answers
say. Rooms, the last 50 messages of each, private messages, and who is there. Settings: peal_items.py."""
import json, time

from peal_items import app_of, serve, store


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


def handle(item):
    if item["type"] == "event":
        known = EVENTS.get(item["event"])
        return known(item, *item["args"]) if known else {"error": {"message": f"there is no event {item['event']}"}}
    answer = enter(item, "general") if item["type"] == "connect" else leave(item)
    answer.pop("leave", None)  # who is gone is in no room, who comes in none yet
    return answer


app = app_of(handle)
if __name__ == "__main__":
    serve(app)
