"""A service that verifies access tokens of claimgate offline, with PyJWT and cryptography."""

import json
import os
import re
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt

CLAIMGATE_URL = os.environ["CLAIMGATE_URL"]
AUDIENCE = os.environ["AUDIENCE"]
COOLDOWN_SECONDS = 5  # tokens of unknown keys do not make it ask more often


class KeySet:
    """The published keys, kept for as long as the answer allows."""

    def __init__(self, url):
        self.url = url
        self.lock = threading.Lock()
        self.keys = {}
        self.fetch_time = float("-inf")
        self.max_age = 0

    def find(self, kid):
        """The key with this id; asks for the keys where it has none, or for too long."""
        with self.lock:
            age = time.monotonic() - self.fetch_time
            if age > self.max_age or (kid not in self.keys and age > COOLDOWN_SECONDS):
                self.fetch()
            return self.keys.get(kid)

    def fetch(self):
        with urllib.request.urlopen(self.url, timeout=5) as answer:
            keys = json.load(answer)["keys"]
            max_age = re.search(r"max-age=(\d+)", answer.headers.get("Cache-Control", ""))
        self.keys = {jwk["kid"]: jwt.PyJWK(jwk).key for jwk in keys if jwk.get("crv") == "P-256"}
        self.max_age = int(max_age[1]) if max_age else 0
        self.fetch_time = time.monotonic()


KEYS = KeySet(f"{CLAIMGATE_URL}/.well-known/jwks.json")


def verify_access_token(token):
    """The claims of a good token. Raises jwt.InvalidTokenError for any other, OSError or ValueError without the keys."""
    header = jwt.get_unverified_header(token)
    if header.get("alg") != "ES256" or header.get("typ") != "at+jwt" or "crit" in header:
        raise jwt.InvalidTokenError("This is no access token.")
    key = KEYS.find(header.get("kid"))
    if key is None:
        raise jwt.InvalidTokenError("Nobody knows the key.")
    return jwt.decode(
        token,
        key,
        algorithms=["ES256"],
        issuer=CLAIMGATE_URL,
        audience=AUDIENCE,
        leeway=60,
        options={"require": ["sub", "exp", "nbf"]},
    )


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        try:
            claims = verify_access_token(token)
        except jwt.InvalidTokenError:
            self.answer(401, {}, {"WWW-Authenticate": "Bearer"})
        except (OSError, ValueError):
            self.answer(503, {})
        else:
            self.answer(200, {"sub": claims["sub"], "roles": claims["roles"]})

    def answer(self, status, body, headers={}):
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
