"""Inputs that are almost right: random bytes go no further than the first check."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

MAX_INPUT = 1_200_000
"""Bytes; a little over the largest shard."""
_EDGES = (0, 1, 2, 7, 8, 63, 64, 65, 127, 128, 255, 256, 4096, 4097, 65_535, 65_536, 1_000_001)
_WORDS = tuple(
    struct.pack(form, value)
    for form, values in (
        ("<H", (0, 1, 0x7BFF, 0x7C00, 0x7E00, 0xFC00, 0xFFFF)),  # float16: largest, infinity, NaN
        ("<I", (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)),
        ("<Q", (0, 1, 1 << 53, (1 << 63) - 1, (1 << 64) - 1)),
        ("<d", (0.0, -1.0, 1e308, float("inf"), float("nan"))),
    )
    for value in values
)
_STRANGE: tuple[Any, ...] = (
    None, True, False, -1, 2**31, 2**53, 2**53 + 1, 2**63, 2**64, 10**30, 0.5, -0.0, 1e308,
    float("nan"), float("inf"), "", "\0", "\n", "..", "../../x", "é", "\ud800", "x" * 65,
    "A" * 5_000, "2030-01-01T00:00:00Z", "9999-99-99", "lists/*", "*", "?" * 200, [], {}, [[]],
    {"": None}, "0" * 64, "f" * 32, "AAAA", "====",
)  # fmt: skip


def scramble(rng: Random, data: bytes) -> bytes:
    """One to eight changes of bytes, with no thought of what they mean."""
    changed = bytearray(data)
    for _ in range(1 << rng.randrange(4)):
        _ONE[rng.randrange(len(_ONE))](rng, changed)
    return bytes(changed[:MAX_INPUT])


def _flip(rng: Random, data: bytearray) -> None:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _word(rng: Random, data: bytearray) -> None:
    word = rng.choice(_WORDS)
    at = rng.randrange(len(data) + 1)
    data[at : at + len(word)] = word


def _cut(rng: Random, data: bytearray) -> None:
    at = rng.randrange(len(data) + 1)
    del data[at : at + rng.choice((1, 2, 8, 64, len(data)))]


def _insert(rng: Random, data: bytearray) -> None:
    at = rng.randrange(len(data) + 1)
    data[at:at] = rng.randbytes(rng.choice((1, 2, 8, 64, 1024)))


def _repeat(rng: Random, data: bytearray) -> None:
    at = rng.randrange(len(data) + 1)
    piece = data[at : at + rng.choice((1, 8, 64, 512))]
    data[at:at] = piece * rng.choice((1, 2, 16))


_ONE = (_flip, _flip, _flip, _word, _word, _cut, _insert, _repeat)


def twist(rng: Random, data: bytes) -> bytes:
    """JSON in which one to three values are not what they should be; now and then no JSON."""
    if rng.random() < 0.1:
        return scramble(rng, data)
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError):
        return scramble(rng, data)
    for _ in range(rng.randint(1, 3)):
        tree = _twisted(rng, tree)
    text = json.dumps(tree, ensure_ascii=rng.random() < 0.9, separators=(",", ":"))
    if rng.random() < 0.02:
        text = text.replace("0", "1" * 5_000, 1)
    return text.encode("utf-8", "surrogatepass")[:MAX_INPUT]


def _twisted(rng: Random, node: Any) -> Any:
    """The tree with a change at a random place."""
    if isinstance(node, dict) and node and rng.random() < 0.85:
        name = rng.choice(list(node))
        if rng.random() < 0.12:
            return _reshaped(rng, node, name)
        return node | {name: _twisted(rng, node[name])}
    if isinstance(node, list) and node and rng.random() < 0.85:
        at = rng.randrange(len(node))
        if rng.random() < 0.2:
            return rng.choice((node[:at], node + [node[at]] * rng.choice((1, 100)), node[::-1]))
        return [*node[:at], _twisted(rng, node[at]), *node[at + 1 :]]
    return _other(rng, node)


def _reshaped(rng: Random, node: dict[str, Any], name: str) -> dict[str, Any]:
    less = {key: value for key, value in node.items() if key != name}
    other = rng.choice(list(node))
    return rng.choice(
        (
            less,
            less | {name + "x": node[name]},
            node | {str(rng.choice(_STRANGE)): node[name]},
            node | {name: node[other]},
        )
    )


def _other(rng: Random, value: Any) -> Any:
    if rng.random() < 0.02:
        return json.loads("[" * 400 + "]" * 400)
    if isinstance(value, bool) or rng.random() < 0.4:
        return rng.choice((*_STRANGE, *_EDGES))
    if isinstance(value, (int, float)):
        return rng.choice((value + 1, value - 1, -value, value * 2, float(value), str(value)))
    if isinstance(value, str):
        at = rng.randrange(len(value) + 1)
        letter = chr(rng.choice((0, 10, 32, 47, 48, 65, 97, 0x7F, 0xE9)))
        return rng.choice((value[:at], value[:at] + letter + value[at + 1 :], value + value))
    return rng.choice(_STRANGE)


@dataclass(frozen=True, slots=True)
class Container:
    """A format with a prefix that tells the length of a JSON header, then aligned columns.

    Attributes:
        prefix: its layout; the length of the header is field 3.
        align: of the columns.
        checksum: a sha256 of the rest at the end, made right again.
    """

    prefix: struct.Struct
    align: int
    checksum: bool

    def mutate(self, rng: Random, data: bytes) -> bytes:
        """Change the header, the columns or the prefix, and keep the others in their places."""
        if rng.random() < 0.1 or len(data) < self.prefix.size:
            return scramble(rng, data)
        fields = list(self.prefix.unpack_from(data))
        header, body = self._parts(data, int(fields[3]))
        kind = rng.random()
        if kind < 0.5:
            header = twist(rng, header)
        if kind > 0.4:
            body = scramble(rng, body)
        fields[3] = len(header)
        if kind > 0.9:
            fields[3] = min(rng.choice((*_EDGES, len(header) + 1)), 0xFFFFFFFF)
        start = self.prefix.size + len(header)
        whole = self.prefix.pack(*fields) + header + bytes(-start % self.align) + body
        return self._closed(whole[:MAX_INPUT])

    def _parts(self, data: bytes, length: int) -> tuple[bytes, bytes]:
        at = min(self.prefix.size + length, len(data))
        end = len(data) - 32 if self.checksum else len(data)
        return data[self.prefix.size : at], data[min(at + -at % self.align, end) : end]

    def _closed(self, data: bytes) -> bytes:
        return data + hashlib.sha256(data).digest() if self.checksum else data


def joined(*parts: bytes) -> bytes:
    """Several files in one input."""
    return b"".join(struct.pack("<I", len(part)) + part for part in parts)


def parted(data: bytes) -> list[bytes]:
    """The files of an input; what does not fit is left out."""
    parts, at = [], 0
    while at + 4 <= len(data) and len(parts) < 64:
        (length,) = struct.unpack_from("<I", data, at)
        parts.append(data[at + 4 : at + 4 + length])
        at += 4 + length
    return parts


def in_one(
    *mutators: Callable[[Random, bytes], bytes],
) -> Callable[[Random, bytes], bytes]:
    """Change one of the files of an input; the last mutator is for all further files."""

    def mutate(rng: Random, data: bytes) -> bytes:
        parts = parted(data)
        if not parts or rng.random() < 0.02:
            return scramble(rng, data)
        at = rng.randrange(len(parts))
        parts[at] = mutators[min(at, len(mutators) - 1)](rng, parts[at])
        return joined(*parts)

    return mutate
