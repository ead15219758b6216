"""Envelopes and statements as others write and read them; keys that are none end in words."""

from __future__ import annotations

import base64
import builtins
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from auditor.errors import InputError, MissingDependencyError
from auditor.store.sign import (
    Envelope,
    Signer,
    envelope_bytes,
    load_public_key,
    load_signer,
    make_statement,
    pre_authentication,
    statement_of,
)
from auditor.store.writer import reopen_run

PAYLOAD = b'{"_type":"https://in-toto.io/Statement/v1"}'
SIGNATURE = (
    "2WAfaHm5jluo0w+0rk8uVkluELJYWjSmU9x7EUzx+AyteDGJ4/nqyJXfmAUVFIAoQafWm7AxBZNw5M9ixNHiCA=="
)
"""Vector `single-signature` of the DSSE project's test vectors (testvectors/vectors.json)."""


def test_the_pre_authentication_encoding_is_that_of_the_protocol() -> None:
    expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert pre_authentication("http://example.com/HelloWorld", b"hello world") == expected
    # Lengths count bytes, not letters.
    assert pre_authentication("ä", b"") == "DSSEv1 2 ä 0 ".encode()


def test_a_published_vector_is_signed_and_checked_alike(signer: Signer) -> None:
    envelope = signer.sign(PAYLOAD)
    assert envelope.signatures[0].sig == SIGNATURE
    assert signer.public.made(envelope)


def test_both_alphabets_of_base64_are_read(signer: Signer) -> None:
    sig = SIGNATURE.replace("+", "-").replace("/", "_")
    payload = base64.urlsafe_b64encode(PAYLOAD).decode()
    body = {
        "payload": payload,
        "payloadType": "application/vnd.in-toto+json",
        "signatures": [{"sig": sig}],
    }
    assert signer.public.made(Envelope.model_validate(body))


@pytest.mark.parametrize(
    "change",
    [
        {"payloadType": "application/vnd.example.other+json"},
        {"payload": base64.b64encode(b"{}").decode()},
        {"payload": "ÿ"},
        {"signatures": []},
        {"signatures": [{"sig": "!"}]},
        {"signatures": [{"sig": base64.b64encode(bytes(64)).decode()}]},
        {"signatures": [{"sig": ""}]},
    ],
)
def test_another_body_type_or_signature_is_not_valid(
    signer: Signer, change: dict[str, object]
) -> None:
    body = json.loads(envelope_bytes(signer.sign(PAYLOAD)))
    assert not signer.public.made(Envelope.model_validate({**body, **change}))


def test_the_statement_of_a_run_names_every_file_and_check(
    make_run: Callable[..., Path], signer: Signer
) -> None:
    run = make_run()
    with reopen_run(run) as writer:
        manifest = writer.seal(signer)
    envelope = json.loads((run / "signature.dsse.json").read_text())
    assert set(envelope) == {"payload", "payloadType", "signatures"}
    statement = json.loads(base64.b64decode(envelope["payload"]))
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://in-toto.io/attestation/test-result/v0.1"
    subjects = {subject["name"]: subject["digest"]["sha256"] for subject in statement["subject"]}
    sealed = {name: entry.sha256 for name, entry in manifest.files.items()}
    del sealed["signature.dsse.json"]
    assert subjects == sealed
    assert statement["predicate"] == {
        "result": "FAILED",
        "configuration": [
            {
                "name": "spec/resolved.yaml",
                "digest": {"sha256": sealed["spec/resolved.yaml"]},
            }
        ],
        "passedTests": ["relationships/BROKEN_RULE:hat~smiling"],
        "warnedTests": [],
        "failedTests": ["relationships/BROKEN_RULE:lipstick~smiling"],
    }


def test_what_could_not_be_decided_is_not_stated_as_passed() -> None:
    for verdict, result in (("pass", "PASSED"), ("warn", "WARNED"), ("inconclusive", "FAILED")):
        statement = json.loads(make_statement({}, verdict=verdict, configuration={}))
        assert statement["predicate"]["result"] == result


def test_a_payload_that_states_nothing_about_files_is_none(signer: Signer) -> None:
    for body in (b"", b"[]", b"{}", PAYLOAD, b'{"_type": "other", "subject": []}'):
        assert statement_of(signer.sign(body)) is None


def pem(key: object, *, password: bytes | None = None) -> bytes:
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password:
        encryption = serialization.BestAvailableEncryption(password)
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, encryption)


def public_pem(key: object) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form)


def test_keys_as_openssl_writes_them_are_read(signer: Signer, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(pem(signer.key))
    (tmp_path / "key.pub.pem").write_bytes(public_pem(signer.key))
    read = load_signer(tmp_path / "key.pem")
    public = load_public_key(tmp_path / "key.pub.pem")
    assert public.made(read.sign(PAYLOAD))
    assert public.keyid == read.public.keyid


@pytest.mark.parametrize("load", [load_signer, load_public_key])
def test_a_key_that_cannot_be_used_ends_in_words(
    load: Callable[[Path], object], tmp_path: Path
) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    other = ec.generate_private_key(ec.SECP256R1())
    contents = {
        "empty": b"",
        "noise": bytes(range(256)),
        "half": pem(key)[:60],
        "other": pem(other),
        "other_public": public_pem(other),
        "encrypted": pem(key, password=b"secret"),
        "wrong_half": public_pem(key) if load is load_signer else pem(key),
    }
    for name, content in contents.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(InputError) as caught:
            load(path)
        assert name in caught.value.message
        assert "openssl" in str(caught.value.hint)
    with pytest.raises(InputError, match="cannot be read"):
        load(tmp_path / "absent.pem")


@pytest.mark.parametrize("load", [load_signer, load_public_key])
def test_without_cryptography_the_extra_is_named(
    load: Callable[[Path], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_import = builtins.__import__

    def without_cryptography(name: str, *args: object, **kwargs: object) -> object:
        if name.partition(".")[0] == "cryptography":
            raise ModuleNotFoundError(name)
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_cryptography)
    with pytest.raises(MissingDependencyError, match="cryptography") as caught:
        load(tmp_path / "key.pem")
    assert "auditor[sign]" in str(caught.value.hint)
