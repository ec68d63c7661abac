#!/usr/bin/python3
"""docs/schema beside the code:  schema_test.py PATH-OF-schema-probe

Items that the worker writes are valid. Of the commands below, the schema takes what command.c takes,
and refuses what it refuses.
"""
import json
import os
import subprocess
import sys
import unittest

from jsonschema import Draft202012Validator

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROBE = sys.argv.pop()

GOOD = [
    ("answer", {}),
    ("answer", {"emit": []}),
    ("answer", {"emit": {"event": "e"}}),
    ("answer", {"emit": {"event": ""}}),
    ("answer", {"emit": [{"event": "e", "args": [1, {"a": None}], "to": "r", "user": ["u", "v"], "except": ["x"],
                          "nsp": "/n", "volatile": True, "attachments": ["", "AA==", "AAA=", "AAH/"]}]}),
    ("answer", {"join": "r", "leave": ["a", "b"]}),
    ("answer", {"join": [{"rooms": "r"}, {"rooms": ["r", "s"], "to": "x"}, "t"]}),
    ("answer", {"join": {"rooms": ["r"], "user": "u", "except": "e", "nsp": "/"}}),
    ("answer", {"disconnect": True}),
    ("answer", {"disconnect": False}),
    ("answer", {"disconnect": {"close": True}}),
    ("answer", {"disconnect": [True, {"to": ["r"]}, {"user": "u", "nsp": "/a", "close": False}]}),
    ("answer", {"ack": None}),
    ("answer", {"ack": [1, [2]], "attachments": ["AA=="], "data": None}),
    ("answer", {"error": {"message": ""}}),
    ("answer", {"error": {"message": "m", "data": [1]}, "data": {"a": 1}}),
    ("answer", {"emit": {"event": "e", "to": ["r"] * 1000}}),
    ("answer", {"emit": {"event": "e", "user": "u" * 256, "to": "r" * 261, "nsp": "/" + "n" * 127}}),
    ("emit", {"event": "e"}),
    ("emit", [{"event": "e"}, {"event": "f", "to": "r"}]),
    ("join", {"rooms": "r", "to": "s"}),
    ("leave", [{"rooms": ["r"], "user": ["u"]}]),
    ("disconnect", {"to": "s", "close": True}),
    ("disconnect", []),
]
BAD = [
    ("answer", []),
    ("answer", None),
    ("answer", "emit"),
    ("answer", {"emmit": []}),
    ("answer", {"emit": None}),
    ("answer", {"emit": [[]]}),
    ("answer", {"emit": {}}),
    ("answer", {"emit": {"event": 1}}),
    ("answer", {"emit": {"event": "connect"}}),
    ("answer", {"emit": {"event": "newListener"}}),
    ("answer", {"emit": {"event": "e", "args": {}}}),
    ("answer", {"emit": {"event": "e", "room": "r"}}),
    ("answer", {"emit": {"event": "e", "to": []}}),
    ("answer", {"emit": {"event": "e", "to": ""}}),
    ("answer", {"emit": {"event": "e", "to": [1]}}),
    ("answer", {"emit": {"event": "e", "to": None}}),
    ("answer", {"emit": {"event": "e", "user": "a\nb"}}),
    ("answer", {"emit": {"event": "e", "to": "a\x7f"}}),
    ("answer", {"emit": {"event": "e", "to": ["r", ""]}}),
    ("answer", {"emit": {"event": "e", "user": []}}),
    ("answer", {"emit": {"event": "e", "user": ""}}),
    ("answer", {"emit": {"event": "e", "user": ["u"] * 1001}}),
    ("answer", {"emit": {"event": "e", "to": "r" * 262}}),
    ("answer", {"emit": {"event": "e", "user": "u" * 257}}),
    ("answer", {"emit": {"event": "e", "nsp": "n"}}),
    ("answer", {"emit": {"event": "e", "nsp": "/a,b"}}),
    ("answer", {"emit": {"event": "e", "nsp": "/" + "n" * 128}}),
    ("answer", {"emit": {"event": "e", "to": ["r"] * 1001}}),
    ("answer", {"emit": {"event": "e", "volatile": 1}}),
    ("answer", {"emit": {"event": "e", "attachments": "AA=="}}),
    ("answer", {"emit": {"event": "e", "attachments": ["A"]}}),
    ("answer", {"emit": {"event": "e", "attachments": ["AA=="] * 65}}),
    ("answer", {"emit": [{"event": "e"}] * 1001}),
    ("answer", {"join": {"rooms": "r", "close": True}}),
    ("answer", {"join": {"to": "r"}}),
    ("answer", {"join": {"rooms": "r", "nsp": "/"}}),
    ("answer", {"join": {"rooms": "r", "except": "e"}}),
    ("answer", {"join": 1}),
    ("answer", {"join": {"rooms": "r", "to": "x", "close": True}}),
    ("answer", {"join": ["r"] * 1001}),
    ("answer", {"leave": ["r"] * 1001}),
    ("answer", {"leave": [True]}),
    ("answer", {"disconnect": "yes"}),
    ("answer", {"disconnect": {"nsp": "/"}}),
    ("answer", {"disconnect": {"close": 1}}),
    ("answer", {"disconnect": {"close": True, "rooms": "r"}}),
    ("answer", {"disconnect": [{"to": "r"}] * 1001}),
    ("answer", {"attachments": []}),
    ("answer", {"error": {}}),
    ("answer", {"error": "no"}),
    ("answer", {"error": {"message": 1}}),
    ("answer", {"error": {"message": "m", "code": 1}}),
    ("answer", {"error": {"message": "m"}, "ack": 1}),
    ("emit", {}),
    ("emit", "e"),
    ("join", "r"),
    ("join", {"rooms": "r"}),
    ("join", {"rooms": "r", "to": "s", "close": True}),
    ("join", [{"rooms": "r", "to": "s"}] * 1001),
    ("leave", [{"rooms": "r"}]),
    ("disconnect", True),
    ("disconnect", {"close": True}),
    ("disconnect", {"to": "s", "rooms": "r"}),
    ("disconnect", [{"to": "s"}] * 1001),
]


def load(name):
    with open(f"{ROOT}/docs/schema/{name}.json", encoding="utf-8") as file:
        schema = json.load(file)
    Draft202012Validator.check_schema(schema)
    return schema


def probe(what, text=""):
    done = subprocess.run([PROBE, what], input=text, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


class Schema(unittest.TestCase):
    def test_items_are_valid(self):
        validator = Draft202012Validator(load("item"))
        items = [json.loads(line) for line in probe("items")]
        self.assertEqual([item["type"] for item in items], ["event", "event", "connect", "disconnect"])
        for item in items:
            validator.validate(item)
            for key in item:  # nothing may be missing, and nothing more be there
                self.assertFalse(validator.is_valid({k: v for k, v in item.items() if k != key}), key)
            self.assertFalse(validator.is_valid({**item, "more": 1}))
            for wrong in ({"v": 2}, {"type": "ack"}, {"id": ""}, {"nsp": "a"}, {"sid": ""}, {"time": -1}, {"attempt": 0}):
                self.assertFalse(validator.is_valid({**item, **wrong}), wrong)
            for other in items:  # what only another type has
                for key in other.keys() - item.keys():
                    if other["type"] != item["type"]:
                        self.assertFalse(validator.is_valid({**item, key: other[key]}), key)
        self.assertFalse(validator.is_valid({**items[2], "transport": "pigeon"}))

    def test_commands_are_taken_and_refused_alike(self):
        schema = load("commands")
        kinds = {"answer": schema}
        for kind, name in (("emit", "emit-list"), ("join", "others-list"), ("leave", "others-list"),
                           ("disconnect", "disconnect-others-list")):
            kinds[kind] = {"$ref": f"#/$defs/{name}", "$defs": schema["$defs"]}
        cases = [(case, True) for case in GOOD] + [(case, False) for case in BAD]
        said = probe("commands", "".join(f"{kind} {json.dumps(value)}\n" for (kind, value), _ in cases))
        self.assertEqual(len(said), len(cases))
        for ((kind, value), good), words in zip(cases, said):
            with self.subTest(kind=kind, value=str(value)[:200], words=words):
                self.assertEqual(words == "ok", good)
                self.assertEqual(Draft202012Validator(kinds[kind]).is_valid(value), good)


if __name__ == "__main__":
    unittest.main()
