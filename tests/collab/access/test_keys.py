"""Keys of access tokens: their kinds, their names, their public halves."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from collab.access.keys import CURVE, RSA, SECRET, UnfitKey, pair, shared, thumbprint

PEM = b"-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ\n-----END PRIVATE KEY-----\n"
EXAMPLE = {
    "kty": "RSA",
    "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWK"
    "RXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMic"
    "AtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3"
    "XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
    "e": "AQAB",
}


def test_the_thumbprint_is_that_of_the_standard() -> None:
    assert thumbprint(EXAMPLE) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs", "RFC 7638 3.1"


@pytest.mark.parametrize("secret", [b"", b"k" * 31, PEM])
def test_S26_what_is_no_secret_is_refused_and_not_shown(secret: bytes) -> None:
    with pytest.raises(UnfitKey) as unfit:
        shared(secret)
    assert "kkk" not in str(unfit.value) and "MII" not in str(unfit.value)


def test_a_secret_has_no_public_half() -> None:
    key = shared(b"k" * 32)
    assert (key.algorithm, key.kid, key.jwk) == (SECRET, None, None)
    assert "kkk" not in repr(key)


def test_of_a_pair_the_public_half_alone_is_published() -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    key = pair(CURVE, private.public_key(), private)
    assert key.jwk is not None and key.jwk.keys() == {"kty", "crv", "x", "y", "use", "alg", "kid"}
    assert (key.jwk["kty"], key.jwk["crv"], key.jwk["alg"], key.jwk["use"]) == ("EC", "P-256", "ES256", "sig")
    assert key.kid == thumbprint({name: key.jwk[name] for name in ("kty", "crv", "x", "y")})
    assert pair(CURVE, private.public_key()).jwk == key.jwk


def test_an_rsa_key_is_published_by_its_two_numbers() -> None:
    private = rsa.generate_private_key(65537, 2048)
    key = pair(RSA, private.public_key(), private)
    assert key.jwk is not None and key.jwk.keys() == {"kty", "n", "e", "use", "alg", "kid"}
    assert (key.jwk["kty"], key.jwk["e"], key.jwk["alg"]) == ("RSA", "AQAB", "RS256")


def test_S20_a_key_fits_its_own_algorithm_and_name_only() -> None:
    key = pair(CURVE, ec.generate_private_key(ec.SECP256R1()).public_key())
    assert key.fits({"alg": CURVE, "kid": key.kid})
    for header in ({"alg": RSA, "kid": key.kid}, {"alg": CURVE}, {"alg": CURVE, "kid": "x"}, {"kid": key.kid}, {}):
        assert not key.fits(header)
