"""Tokens as an operator's login service makes them, and wrong ones."""
import base64
import hashlib
import hmac
import json

import cluster


def segment(data):
    if not isinstance(data, bytes):
        data = json.dumps(data).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def sign(signed, secret=cluster.SECRET):
    return segment(hmac.new(secret.encode(), signed, hashlib.sha256).digest())


def mint(claims, header=None, secret=cluster.SECRET):
    """A compact JWT, right or wrong."""
    signed = segment(header or {"alg": "HS256", "typ": "JWT"}) + b"." + segment(claims)
    return (signed + b"." + sign(signed, secret)).decode()


def claims_of(token):
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
