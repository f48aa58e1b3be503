"""The agency's trust root: believed because an operator typed its hash, not for where it lay."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Final

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root

from agent.errors import DataError, RefusedError, UsageError

_BETWEEN = re.compile(r"[\s:.-]+")
_HEX = re.compile(r"[0-9a-f]{64}")
_ROLES: Final = ("root", "targets", "snapshot", "timestamp")


def typed_sha256(text: str) -> str:
    """A hash as people type it: in groups, with spaces or colons, in either case.

    Raises:
        UsageError: not 64 hexadecimal digits.
    """
    digits = _BETWEEN.sub("", text).lower()
    if not _HEX.fullmatch(digits):
        raise UsageError(
            f"--root-sha256: {len(digits)} digits; 64 hexadecimal ones are needed, as "
            "`bodycam-hub status` shows them"
        )
    return digits


def check_root(data: bytes, sha256: str) -> None:
    """Whether this is the root that the operator means, and a root at all.

    Args:
        data: TUF root metadata, the bytes of the file.
        sha256: as typed, 64 hexadecimal digits.

    Raises:
        RefusedError: another file than the one with this hash.
        DataError: no TUF root, or not signed by enough of its own keys.
    """
    found = hashlib.sha256(data).hexdigest()
    if not hmac.compare_digest(found, sha256):
        raise RefusedError(
            f"the trust root in this file has sha256 {found[:16]}..., you typed {sha256[:16]}...: "
            "the file was swapped, or the wrong hash was read out. Do not go on; ask the agency"
        )
    try:
        root = Metadata[Root].from_bytes(data)
        if not isinstance(root.signed, Root):
            raise DataError("the trust root is other TUF metadata than a root")
        root.signed.verify_delegate("root", root.signed_bytes, root.signatures)
    except (RepositoryError, ValueError) as error:
        why = " ".join(str(error).split())[:120]
        raise DataError(
            f"the trust root is not signed by its own keys, or no root: {why}"
        ) from None
