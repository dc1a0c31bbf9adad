"""The keys of access tokens that the settings name: the first signs, the others still verify."""

from __future__ import annotations

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from pydantic import SecretStr

from codraw.settings import Settings
from collab.access.keys import CURVE, RSA, Key, UnfitKey, pair, shared

SHORTEST_RSA_BITS = 2_048


def signing_keys(settings: Settings, secret: bytes) -> tuple[Key, ...]:
    """Key pairs where files are named, else the secret; what a former secret signed is good until it expires. Raises
    UnfitKey, with a sentence for the operator."""
    own = key_pairs(settings) or (shared(secret),)
    return (*own, *_former(settings.secret_key_previous))


def key_pairs(settings: Settings) -> tuple[Key, ...]:
    """Raises UnfitKey."""
    pairs = tuple(_read(Path(name)) for name in settings.signing_keys)
    if pairs and pairs[0].signs is None:
        raise UnfitKey(f"CODRAW_SIGNING_KEYS: {settings.signing_keys[0]} is to sign, and holds no private key.")
    return pairs


def _former(secret: SecretStr | None) -> tuple[Key, ...]:
    return (shared(secret.get_secret_value().encode()),) if secret else ()


def _read(path: Path) -> Key:
    try:
        return from_pem(path.read_bytes())
    except OSError:
        raise UnfitKey(f"CODRAW_SIGNING_KEYS: {path} cannot be read.") from None
    except UnfitKey as unfit:
        raise UnfitKey(f"CODRAW_SIGNING_KEYS: {path} {unfit}") from None


def from_pem(text: bytes) -> Key:
    """A private key signs and verifies, a public one only verifies. Raises UnfitKey."""
    match _loaded(text):
        case RSAPrivateKey() | RSAPublicKey() as found if found.key_size < SHORTEST_RSA_BITS:
            raise UnfitKey(f"holds an RSA key of fewer than {SHORTEST_RSA_BITS} bits.")
        case RSAPrivateKey() as private:
            return pair(RSA, private.public_key(), private)
        case RSAPublicKey() as public:
            return pair(RSA, public)
        case EllipticCurvePrivateKey(curve=SECP256R1()) as private:
            return pair(CURVE, private.public_key(), private)
        case EllipticCurvePublicKey(curve=SECP256R1()) as public:
            return pair(CURVE, public)
    raise UnfitKey("holds neither an RSA key nor one on the curve P-256.")


def _loaded(text: bytes) -> object:
    try:
        return load_pem_private_key(text, None)
    except TypeError:
        raise UnfitKey("holds a key with a password: it has to be read without one.") from None
    except (ValueError, UnsupportedAlgorithm):
        pass
    try:
        return load_pem_public_key(text)
    except (ValueError, UnsupportedAlgorithm):
        raise UnfitKey("holds no key in PEM.") from None
