"""An identity provider on loopback, as OpenID Connect finds it, and the tokens that it signs."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm


class Issuer:
    """Its URL, and `token`."""

    def __init__(self, url):
        self.url = url
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.documents = {
            "/.well-known/openid-configuration": {
                "issuer": url,
                "jwks_uri": f"{url}/keys",
                "authorization_endpoint": f"{url}/authorize",
                "token_endpoint": f"{url}/token",
                "id_token_signing_alg_values_supported": ["RS256"],
            },
            "/keys": {
                "keys": [{**RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True), "kid": "1", "alg": "RS256"}]
            },
        }

    def token(self, *, key=None, **claims):
        """A token of an hour, with these claims in the place of or beside the usual ones."""
        now = int(time.time())
        usual = {"iss": self.url, "aud": "otelcol", "sub": "sender", "iat": now, "exp": now + 3600}
        return jwt.encode(usual | claims, key or self._key, algorithm="RS256", headers={"kid": "1"})


@contextmanager
def issuer():
    """Serve until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            document = made.documents.get(self.path)
            self.send_response(200 if document else 404)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(document).encode())

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Issuer(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
