"""The few commands of Redis that the backend uses, in memory: for a demo without Redis."""
import time


class Memory:
    def __init__(self):
        self.values, self.expiries = {}, {}

    def get(self, key):
        return self.values.get(key)

    def set(self, key, value, ex):
        now = time.monotonic()
        while self.expiries and next(iter(self.expiries.values())) < now:  # they were set in this order
            old = next(iter(self.expiries))
            del self.expiries[old], self.values[old]
        self.values[key] = value
        self.expiries[key] = now + ex

    def hset(self, key, field, value):
        self.values.setdefault(key, {})[field] = value

    def hdel(self, key, field):
        self.values.get(key, {}).pop(field, None)

    def hvals(self, key):
        return list(self.values.get(key, {}).values())

    def rpush(self, key, value):
        self.values.setdefault(key, []).append(value)

    def ltrim(self, key, first, last):
        self.values[key] = self.lrange(key, first, last)

    def lrange(self, key, first, last):
        values = self.values.get(key, [])
        return values[first:] if last == -1 else values[first:last + 1]
