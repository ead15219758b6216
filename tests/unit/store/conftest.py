"""Keys for whoever signs a run, and for whoever should not have."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from auditor.store.sign import Signer


@pytest.fixture
def signer() -> Signer:
    """The key of RFC 8032, section 7.1, test 1."""
    seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
    return Signer(Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed)))


@pytest.fixture
def stranger() -> Signer:
    """Somebody else's key: RFC 8032, section 7.1, test 2."""
    seed = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"
    return Signer(Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed)))
