from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.adapters.sealing import (
    KEY_BYTES,
    OVERHEAD,
    SALT_BYTES,
    ScryptCost,
    decrypt,
    encrypt,
    key_id,
    new_key,
    passphrase_key,
    seal,
    unseal,
)
from agent.errors import DataError

KEY = bytes(range(32))
MINE = X25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = X25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
PUBLIC = MINE.public_key().public_bytes_raw()
CHEAP = ScryptCost(n=2, r=1, p=1)


@given(st.binary(max_size=300), st.binary(max_size=40))
def test_what_was_encrypted_comes_back(data, about):
    blob = encrypt(KEY, data, about)
    assert len(blob) == len(data) + OVERHEAD
    assert decrypt(KEY, memoryview(bytearray(blob)), about) == data


def test_the_same_twice_is_never_the_same():
    assert encrypt(KEY, b"data", b"") != encrypt(KEY, b"data", b"")
    assert len({new_key() for _ in range(10)}) == 10
    assert len(new_key()) == KEY_BYTES


def test_every_flipped_bit_and_every_cut_is_found():
    blob = encrypt(KEY, b"data", b"about")
    for bit in range(len(blob) * 8):
        damaged = bytearray(blob)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(DataError, match="encrypted data"):
            decrypt(KEY, bytes(damaged), b"about")
    for length in range(len(blob)):
        with pytest.raises(DataError, match="encrypted data"):
            decrypt(KEY, blob[:length], b"about")


def test_another_key_or_purpose_does_not_decrypt():
    blob = encrypt(KEY, b"data", b"about")
    for key, about in ((bytes(32), b"about"), (KEY, b"other"), (KEY, b"")):
        with pytest.raises(DataError, match="not for this key"):
            decrypt(key, blob, about)


def test_ciphertexts_follow_rfc_8439():
    """Its example of section 2.8.2: nonce, ciphertext and tag are read as they stand there."""
    key = bytes(range(0x80, 0xA0))
    nonce = bytes.fromhex("070000004041424344454647")
    about = bytes.fromhex("50515253c0c1c2c3c4c5c6c7")
    sealed = bytes.fromhex(
        "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
        "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
        "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
        "3ff4def08e4b7a9de576d26586cec64b6116"
        "1ae10b594f09e26a7e902ecbd0600691"
    )
    assert decrypt(key, nonce + sealed, about) == (
        b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the "
        b"future, sunscreen would be it."
    )


@given(st.binary(max_size=200), st.binary(max_size=100))
@settings(deadline=None)
def test_only_the_owner_unseals(data, info):
    blob = seal(PUBLIC, data, info)
    assert unseal(MINE, blob, info) == data
    with pytest.raises(DataError, match="not for this device"):
        unseal(OTHER, blob, info)
    with pytest.raises(DataError, match="not for this device"):
        unseal(MINE, blob, info + b"x")


def test_a_sealed_key_has_the_size_that_an_envelope_allows():
    assert 48 <= len(seal(PUBLIC, new_key(), b"info")) <= 256


def test_what_is_not_a_sealed_blob_is_refused():
    blob = seal(PUBLIC, b"data", b"info")
    for wrong in (b"", b"x", blob[:31], blob[:32], blob[:-1], blob + b"x", bytes(len(blob))):
        with pytest.raises(DataError, match="sealed data"):
            unseal(MINE, wrong, b"info")


@pytest.mark.parametrize("key", [b"", bytes(31), bytes(33), bytes(32)])
def test_what_is_no_public_key_is_refused(key):
    """All zeros is a point of low order: whatever is sealed to it, everybody could read."""
    with pytest.raises(DataError, match="not an X25519 public key"):
        seal(key, b"data", b"info")


def test_a_passphrase_gives_one_key_for_a_salt_and_a_cost():
    salt = bytes(SALT_BYTES)
    key = passphrase_key("correct horse", salt, CHEAP)
    assert len(key) == KEY_BYTES
    assert key == passphrase_key("correct horse", salt, CHEAP)
    assert key != passphrase_key("correct horse", b"x" * SALT_BYTES, CHEAP)
    assert key != passphrase_key("correct hors", salt, CHEAP)
    assert key != passphrase_key("correct horse", salt, ScryptCost(n=4, r=1, p=1))


def test_passphrases_follow_rfc_7914():
    """Its example of section 12, the first half of the 64 bytes."""
    key = passphrase_key("pleaseletmein", b"SodiumChloride", ScryptCost(n=16384, r=8, p=1))
    assert key.hex() == "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"


def test_a_guess_costs_32_megabytes_by_default():
    cost = ScryptCost()
    assert 128 * cost.n * cost.r == 32 << 20


def test_a_key_is_named_by_its_hash():
    assert key_id(PUBLIC) == hashlib.sha256(PUBLIC).hexdigest()[:32]
