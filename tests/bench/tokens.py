"""Tokens as a login service would mint them: one for each client, with a subject of its own."""

import base64
import hashlib
import hmac
import json
import os
import time

from common import SECRET, fail

VALID = 7200  # seconds


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def sign_hs256(text):
    return hmac.new(SECRET.encode(), text, hashlib.sha256).digest()


def write(path, n, rooms=None, sign=sign_hs256, head=None):
    """rooms: a function that tells which rooms client i is in."""
    now = int(time.time())
    head = b64(json.dumps(head or {"alg": "HS256", "typ": "JWT"}).encode())
    with open(path, "wb") as out:
        for i in range(n):
            claims = {"sub": f"user-{i}", "iat": now, "exp": now + VALID}
            if rooms:
                claims["rooms"] = rooms(i)
            text = head + b"." + b64(json.dumps(claims, separators=(",", ":")).encode())
            out.write(text + b"." + b64(sign(text)) + b"\n")
    return path


class Signers:
    """Keys of one run for RS256 and ES256; the public ones are in a folder, as <kid>.pem."""

    def __init__(self, folder):
        try:
            from cryptography.hazmat.primitives import hashes, serialization
            from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
        except ImportError:
            fail("Python's cryptography is missing; `deploy/setup bench` installs it for "
                 "Debian's python3")
        os.makedirs(folder, exist_ok=True)
        self.folder = folder
        rs = rsa.generate_private_key(65537, 2048)
        es = ec.generate_private_key(ec.SECP256R1())
        for kid, key in (("rs", rs), ("es", es)):
            with open(f"{folder}/{kid}.pem", "wb") as out:
                out.write(key.public_key().public_bytes(
                    serialization.Encoding.PEM,
                    serialization.PublicFormat.SubjectPublicKeyInfo))

        def sign_es256(text):
            r, s = utils.decode_dss_signature(es.sign(text, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")

        self.sign = {"rs": lambda text: rs.sign(text, padding.PKCS1v15(), hashes.SHA256()),
                     "es": sign_es256}

    def write(self, path, n, kid, rooms):
        head = {"alg": f"{kid.upper()}256", "typ": "JWT", "kid": kid}
        return write(path, n, rooms, self.sign[kid], head)

    def peal_keys(self):
        """Value of auth.keys."""
        return json.dumps([{"kid": kid, "alg": f"{kid.upper()}256",
                            "file": os.path.abspath(f"{self.folder}/{kid}.pem")}
                           for kid in self.sign])
