"""Makes tokens and keys for the tests: one JSON question a line on stdin, one answer a line on stdout.

{"op": "encode", "claims": {}, "key": "", "alg": "", "headers": {}}  ->  {"token": ""}
{"op": "keys", "kind": "rsa|p256|p384|p521"}                         ->  {"private": "", "public": ""}
"""
import json
import sys

import jwt


def keys(kind):
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    curves = {"p256": ec.SECP256R1, "p384": ec.SECP384R1, "p521": ec.SECP521R1}
    if kind == "rsa":
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    else:
        key = ec.generate_private_key(curves[kind]())
    private = key.private_bytes(
        form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    public = key.public_key().public_bytes(
        form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)
    return {"private": private.decode(), "public": public.decode()}


def answer(question):
    if question["op"] == "keys":
        return keys(question["kind"])
    token = jwt.encode(question["claims"], question["key"], algorithm=question["alg"],
                       headers=question.get("headers"))
    return {"token": token if isinstance(token, str) else token.decode()}


for line in sys.stdin:
    try:
        result = answer(json.loads(line))
    except Exception as error:  # the test shall see it, and go on
        result = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(result), flush=True)
