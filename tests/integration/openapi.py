"""Answers of the HTTP API beside docs/openapi.yaml: one JSON question a line on stdin, one answer a line.

{"op": "all"}                                                        ->  {"all": [["post", "/api/emit", "200"], …]}
{"op": "check", "method": "", "path": "", "status": "", "type": "", "body": ""}  ->  {"error": null or ""}
"""
import json
import os
import sys

import yaml
from jsonschema import Draft202012Validator, RefResolver

DOCS = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "docs")
with open(f"{DOCS}/openapi.yaml", encoding="utf-8") as file:
    API = yaml.safe_load(file)
resolver = RefResolver(f"file://{DOCS}/openapi.yaml", API, handlers={"file": lambda uri: json.load(open(uri[7:], encoding="utf-8"))})


def resolve(node):
    return resolver.resolve(node["$ref"])[1] if "$ref" in node else node


def check(q):
    responses = API["paths"][q["path"]][q["method"]]["responses"]
    if q["status"] not in responses:
        return f"{q['status']} is not described"
    content = resolve(responses[q["status"]]).get("content", {})
    kind = q["type"].split(";")[0]
    if kind not in content:
        return f"{kind} is not described"
    if kind == "application/json":
        errors = list(Draft202012Validator(content[kind]["schema"], resolver=resolver).iter_errors(json.loads(q["body"])))
        return errors[0].message if errors else None
    return None


def example(q):
    """Is the example of a request what its own schema takes?"""
    content = API["paths"][q["path"]][q["method"]]["requestBody"]["content"]["application/json"]
    Draft202012Validator(content["schema"], resolver=resolver).validate(content["example"])
    return content["example"]


for line in sys.stdin:
    question = json.loads(line)
    if question["op"] == "all":
        answer = {"all": [[m, p, s] for p, item in API["paths"].items() for m, op in item.items() for s in op["responses"]]}
    elif question["op"] == "example":
        answer = {"example": example(question)}
    else:
        answer = {"error": check(question)}
    print(json.dumps(answer), flush=True)
