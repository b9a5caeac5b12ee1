"""Keys and tokens of a made-up issuer."""

from __future__ import annotations

import json
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from jwt.algorithms import ECAlgorithm, OKPAlgorithm

DAY_S = 86_400


class Signer:
    """One key pair; ``jwk`` is what an issuer publishes of it."""

    def __init__(self, key_id: str, algorithm: str = "ES256") -> None:
        self.key_id = key_id
        self.algorithm = algorithm
        if algorithm == "ES256":
            self._key: Any = ec.generate_private_key(ec.SECP256R1())
            public = ECAlgorithm.to_jwk(self._key.public_key())
        else:
            self._key = ed25519.Ed25519PrivateKey.generate()
            public = OKPAlgorithm.to_jwk(self._key.public_key())
        self.jwk = {**json.loads(public), "kid": key_id, "use": "sig"}

    def token(self, key_id: str | None = None, **claims: Any) -> str:
        """Return a token of ``user:ann``, valid for a day."""
        body = {"sub": "user:ann", "exp": time.time() + DAY_S, **claims}
        return jwt.encode(body, self._key, self.algorithm, headers={"kid": key_id or self.key_id})


def key_set(*signers: Signer) -> bytes:
    """Return the set of keys that an issuer publishes."""
    return json.dumps({"keys": [signer.jwk for signer in signers]}).encode()
