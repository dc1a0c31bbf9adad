"""Keys of access tokens in files, in the order in which the settings name them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from codraw.settings import Settings
from codraw.signing import from_pem, key_pairs, signing_keys
from collab.access.keys import CURVE, RSA, SECRET, UnfitKey

pytestmark = pytest.mark.usefixtures("no_settings")

SECRET_KEY = b"n0t-a-default:9f2c41d7e8b35a60c1d2"
FORMER = "f0rmer-one:77aa1b2c3d4e5f60718293a4b5"
CURVED = ec.generate_private_key(ec.SECP256R1())
LONG = rsa.generate_private_key(65537, 2048)


def private_pem(key: Any, form: PrivateFormat = PrivateFormat.PKCS8) -> bytes:
    pem: bytes = key.private_bytes(Encoding.PEM, form, NoEncryption())
    return pem


def public_pem(key: Any) -> bytes:
    pem: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    texts = {
        "curved": private_pem(CURVED),
        "long": private_pem(LONG),
        "public": public_pem(LONG),
        "rubbish": b"no key at all",
    }
    for name, text in texts.items():
        (tmp_path / name).write_bytes(text)
    return {name: str(tmp_path / name) for name in [*texts, "missing"]}


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize(("key", "algorithm"), [(LONG, RSA), (CURVED, CURVE)])
def test_a_private_key_signs_and_its_public_half_only_verifies(key: Any, algorithm: str, form: PrivateFormat) -> None:
    both, half = from_pem(private_pem(key, form)), from_pem(public_pem(key))
    assert (both.algorithm, both.signs is not None) == (algorithm, True)
    assert (half.algorithm, half.signs, half.jwk) == (algorithm, None, both.jwk)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "no key in PEM"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "no key in PEM"),
        (private_pem(ec.generate_private_key(ec.SECP384R1())), "P-256"),
        (public_pem(ec.generate_private_key(ec.SECP384R1())), "P-256"),
        (private_pem(ed25519.Ed25519PrivateKey.generate()), "P-256"),
        (
            CURVED.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"hunter2")),
            "with a password",
        ),
    ],
)
def test_S26_another_kind_of_key_is_refused(text: bytes, why: str) -> None:
    with pytest.raises(UnfitKey, match=why):
        from_pem(text)


def test_S26_a_short_rsa_key_is_refused() -> None:
    short = rsa.generate_private_key(65537, 1024)
    for text in (private_pem(short), public_pem(short)):
        with pytest.raises(UnfitKey, match="2048 bits"):
            from_pem(text)


def test_without_files_the_secret_signs() -> None:
    assert [key.algorithm for key in signing_keys(Settings(), SECRET_KEY)] == [SECRET]


def test_the_first_file_signs_and_all_verify(files: dict[str, str]) -> None:
    keys = signing_keys(Settings(signing_keys=f"{files['curved']}, {files['public']}"), SECRET_KEY)
    assert [key.algorithm for key in keys] == [CURVE, RSA]


def test_a_former_secret_verifies_beside_the_new_one_and_beside_key_pairs(files: dict[str, str]) -> None:
    beside = signing_keys(Settings(secret_key_previous=FORMER), SECRET_KEY)
    assert [key.signs for key in beside] == [SECRET_KEY, FORMER.encode()]
    pairs = signing_keys(Settings(signing_keys=files["long"], secret_key_previous=FORMER), SECRET_KEY)
    assert [key.algorithm for key in pairs] == [RSA, SECRET]


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (["missing"], "missing cannot be read."),
        (["curved", "missing"], "missing cannot be read."),
        (["rubbish"], "rubbish holds no key in PEM."),
        (["public", "curved"], "public is to sign, and holds no private key."),
    ],
)
def test_a_file_that_will_not_do_is_named(files: dict[str, str], names: list[str], why: str) -> None:
    with pytest.raises(UnfitKey) as unfit:
        key_pairs(Settings(signing_keys=",".join(files[name] for name in names)))
    assert str(unfit.value).startswith("CODRAW_SIGNING_KEYS: ") and str(unfit.value).endswith(why)
