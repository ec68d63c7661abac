"""What the tables call a case, what is its figure, and what Peal must reach."""

from collections import namedtuple

from common import ratios

# of: the figure in an answer of the load generator; key: of Bench.results
Case = namedtuple("Case", "key title unit of")


def per_delivery(answer):
    return answer["cpu_us"][0] / answer["delivered"]


def per_message(answer):
    return answer["cpu_us"][0] / answer["published"]


def per_connection(answer):
    return answer["cpu_us"][0] / answer["connected"]


def resident(answer):
    return answer["memory_kib"]["rss"]


DELIVERY, ANSWER = "µs CPU per delivery", "µs CPU per answer"
CONNECTION = "µs CPU per connection"
CASES = {case.key: case for case in (
    Case("broadcast-1000", "One broadcast at a time to 1000", DELIVERY, per_delivery),
    Case("broadcast-10000", "One broadcast at a time to 10 000", DELIVERY, per_delivery),
    Case("inflight-8", "8 broadcasts in flight to 1000", DELIVERY, per_delivery),
    Case("inflight-64", "64 broadcasts in flight to 1000", DELIVERY, per_delivery),
    Case("rate-10", "10 broadcasts a second to 1000", DELIVERY, per_delivery),
    Case("rate-25", "25 broadcasts a second to 1000", DELIVERY, per_delivery),
    Case("payload-32", "32 bytes to 1000, one at a time", DELIVERY, per_delivery),
    Case("payload-1k", "1 KiB to 1000, one at a time", DELIVERY, per_delivery),
    Case("payload-64k", "64 KiB to 1000, one at a time", DELIVERY, per_delivery),
    Case("payload-binary", "1 KiB of binary to 1000, one at a time", DELIVERY, per_delivery),
    Case("rooms", "1000 rooms of 10, 64 in flight", DELIVERY, per_delivery),
    Case("rooms-rate", "1000 rooms of 10, 500 messages a second", DELIVERY, per_delivery),
    Case("ack", "Event with ack, 64 in flight", ANSWER, per_message),
    Case("echo", "Echo by a room of one's own, with ack", ANSWER, per_message),
    Case("connect-HS256", "Connect with HS256", CONNECTION, per_connection),
    Case("connect-10000", "Connect with HS256, 10 000 clients", CONNECTION, per_connection),
    Case("connect-RS256", "Connect with RS256", CONNECTION, per_connection),
    Case("connect-ES256", "Connect with ES256", CONNECTION, per_connection),
    Case("memory", "Idle: 10 000 clients in a room", "KiB resident per connection", resident),
    Case("poll-connect", "Connect by long-polling", CONNECTION, per_connection),
    Case("poll-1", "Long-polling: one broadcast at a time to 1000", DELIVERY, per_delivery),
    Case("poll-8", "Long-polling: 8 in flight to 1000", DELIVERY, per_delivery),
    Case("slow-without", "40 × 4 KiB a second to 990", DELIVERY, per_delivery),
    Case("slow-with", "40 × 4 KiB a second to 990, 10 more do not read", DELIVERY, per_delivery),
    Case("slow-after", "40 × 4 KiB a second to 990, when those are closed", DELIVERY,
         per_delivery),
    Case("grow-100-rooms", "100 rooms of 10", DELIVERY, per_delivery),
    Case("grow-1000-rooms", "the same beside 900 more rooms", DELIVERY, per_delivery),
    Case("grow-20-each", "the same, each client in 19 more rooms", DELIVERY, per_delivery),
    Case("grow-100-nsps", "100 namespaces of 10 instead", DELIVERY, per_delivery),
    Case("grow-1000-nsps", "the same beside 900 more namespaces", DELIVERY, per_delivery),
    Case("grow-idle-before", "100 rooms of 10", DELIVERY, per_delivery),
    Case("grow-idle", "the same beside idle connections", DELIVERY, per_delivery),
    Case("size-ten", "1000 rooms of 10", DELIVERY, per_delivery),
    Case("size-hundred", "100 rooms of 100", DELIVERY, per_delivery),
    Case("size-thousand", "10 rooms of 1000", DELIVERY, per_delivery),
)}

MAIN = [key for key in CASES if not key.startswith(("grow-", "size-"))]


def figures(results, key, server):
    return [CASES[key].of(answer) for answer in results.get(key, {}).get(server, [])]


def compared(results, key, of, to):
    """Round by round."""
    return ratios(figures(results, key, of), figures(results, key, to))
