"""The agency's policy at the hub: presets, drafts that collect signatures, what is published.

A draft is one file: the policy's text, and the metadata that is to be signed for it. It may travel
to other machines; whoever signs there sees the text, and needs a key and no hub.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

from securesystemslib.signer import CryptoSigner, SSlibKey
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Targets

from agent.errors import DataError, MissingFileError, RefusedError, UsageError
from agent.hub.files import Disk, read_bounded
from agent.hub.hub import Hub
from agent.hub.keyfiles import KeyFiles
from agent.hub.keyring import file_name
from agent.hub.repository import Published
from agent.messages.policy import MAX_POLICY, POLICY_FORMAT, POLICY_TARGET
from agent.policy import FIELD_TEST, Policy
from agent.policy.documents import read_policy

ROLE: Final = "policy"
DRAFT_FORMAT: Final = "bodycam.policy-draft.v1"
_MAX_DRAFT: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Draft:
    """A policy on its way to being signed.

    Attributes:
        text: of the policy, as it will be published.
        metadata: of the role, with the signatures so far.
        keys: ids of the role's keys as the hub told them, so that a wrong key is noticed where
            no hub is; what counts is what the trust root says. Empty in older drafts.
        needed: of them must sign.
    """

    text: bytes
    metadata: Metadata[Targets]
    keys: tuple[str, ...] = ()
    needed: int = 0

    @property
    def policy(self) -> Policy:
        """What it says.

        Raises:
            DataError: the text is no policy, or not what the metadata was made for.
        """
        try:
            target = self.metadata.signed.targets[POLICY_TARGET]
            target.verify_length_and_hashes(self.text)
        except (KeyError, RepositoryError, ValueError):
            raise DataError("draft: its text is not the one that is being signed for") from None
        return read_policy(self.text)

    @property
    def signed_by(self) -> tuple[str, ...]:
        """Ids of the role's keys that have signed, sorted."""
        return tuple(
            sorted(one for one in self.metadata.signatures if not self.keys or one in self.keys)
        )


def preset_names() -> tuple[str, ...]:
    """Names of the presets, sorted."""
    folder = resources.files("agent.policy") / "presets"
    return tuple(
        sorted(
            one.name.removesuffix(".yaml") for one in folder.iterdir() if one.name.endswith(".yaml")
        )
    )


def preset(name: str, *, agency: str, version: int, days: float, now: float) -> bytes:
    """The text of a preset, filled in.

    Args:
        name: of the preset.
        agency: whose policy it becomes.
        version: of the policy.
        days: it is good for.
        now: wall seconds.

    Raises:
        UsageError: there is no such preset.
    """
    if name not in preset_names():
        raise UsageError(f"no such preset: {name}; presets are {', '.join(preset_names())}")
    clauses = (resources.files("agent.policy") / "presets" / f"{name}.yaml").read_text("utf-8")
    head, _, rest = clauses.partition("\ntest:")
    begin, end = _moment(now), _moment(now + days * 86_400.0)
    given = (
        f"format: {POLICY_FORMAT}\nname: {name}\nagency: {agency}\nversion: {version}\n"
        f"not_before: {begin}\nnot_after: {end}\n"
    )
    return f"{head}\n{given}test:{rest}".encode()


def published(hub: Hub) -> tuple[Policy, bytes] | None:
    """The policy that is published, and its text; None before the first."""
    try:
        text = hub.repository.read_target(POLICY_TARGET)
    except MissingFileError:
        return None
    return read_policy(text), text


def in_force(hub: Hub) -> Policy:
    """What lists and alerts are held to here: the policy that is published, else the built-in
    one for field tests, as on a device.
    """
    found = published(hub)
    return FIELD_TEST if found is None else found[0]


def make_draft(hub: Hub, text: bytes, *, now: float) -> Draft:
    """A draft that nobody has signed.

    Raises:
        DataError: the text is no policy.
        RefusedError: it is another agency's, no newer than what is published, or over.
    """
    check_publishable(hub, read_policy(text), now=now)
    keys, needed = hub.repository.load().keys[ROLE]
    metadata = hub.repository.draft(ROLE, {POLICY_TARGET: text}, now)
    return Draft(text, metadata, tuple(key.keyid for key in keys), needed)


def check_publishable(hub: Hub, policy: Policy, *, now: float) -> None:
    """Whether cameras could take it as the next one.

    Raises:
        RefusedError: it is another agency's, no newer than what is published, or over.
    """
    if policy.agency != hub.agency:
        raise RefusedError(f"policy: is of {policy.agency}, this is the hub of {hub.agency}")
    before = published(hub)
    if before is not None and policy.version <= before[0].version:
        raise RefusedError(
            f"policy: is version {policy.version}, and {before[0].version} is published: raise it"
        )
    check_not_over(policy, now=now)


def check_not_over(policy: Policy, *, now: float) -> None:
    """Whether its time is not over.

    Raises:
        RefusedError: it is.
    """
    if policy.not_after is not None and policy.not_after <= now:
        raise RefusedError("policy: its not_after is over already")


def draft_published(hub: Hub) -> Draft | None:
    """What is published as the draft that it was, with everybody who signed."""
    found = published(hub)
    if found is None:
        return None
    state = hub.repository.load()
    keys, needed = state.keys[ROLE]
    return Draft(found[1], state.targets[ROLE], tuple(key.keyid for key in keys), needed)


def sign_at_hub(hub: Hub, draft: Draft) -> Draft:
    """Signed with every key of the role that is within reach here.

    Raises:
        MissingFileError: none is.
        RefusedError: a wrong passphrase.
    """
    keys, _ = hub.repository.load().keys[ROLE]
    here = [key for key in keys if hub.ring.locate(ROLE, key.keyid) is not None]
    _require_sane(draft)
    for signer in hub.ring.signers(ROLE, here or keys, max(len(here), 1)):
        draft.metadata.sign(signer, append=True)
    return draft


def sign_elsewhere(draft: Draft, paths: Sequence[Path], files: KeyFiles) -> Draft:
    """Signed with these key files, on a machine without a hub.

    Raises:
        MissingFileError, RefusedError, DataError: a file cannot be opened, or holds no key of the
            role.
    """
    _require_sane(draft)
    for path in paths:
        private = files.load(path)
        public = SSlibKey.from_crypto(private.public_key())
        if draft.keys and public.keyid not in draft.keys:
            names = " or ".join(file_name(ROLE, one) for one in draft.keys)
            raise RefusedError(f"{path}: not a key that signs policies; those are {names}")
        draft.metadata.sign(CryptoSigner(private, public), append=True)
    return draft


def publish(hub: Hub, draft: Draft, *, now: float) -> Published:
    """Put a signed draft where devices see it.

    Raises:
        RefusedError: too few of the role's keys signed, it is no longer the next version, or its
            time is over.
        BodycamError: as `Repository.publish`.
    """
    _require_sane(draft)
    check_not_over(draft.policy, now=now)
    files = {POLICY_TARGET: draft.text}
    return hub.repository.publish_signed(ROLE, draft.metadata, files, now)


def read_draft(path: Path) -> Draft:
    """A draft from a file.

    Raises:
        MissingFileError: no such file.
        DataError: it is none.
    """
    data = read_bounded(path, _MAX_DRAFT)
    try:
        tree = json.loads(data)
        metadata: Metadata[Any] = Metadata.from_dict(tree["metadata"])
        keys = tuple(map(str, tree.get("keys", ())))
        draft = Draft(tree["policy"].encode(), metadata, keys, int(tree.get("needed", 0)))
    except (ValueError, KeyError, TypeError, AttributeError, RepositoryError):
        raise DataError(f"{path}: not a draft of a policy") from None
    if tree.get("format") != DRAFT_FORMAT or not isinstance(metadata.signed, Targets):
        raise DataError(f"{path}: not a draft of a policy")
    return draft


def write_draft(path: Path, draft: Draft, *, when: float) -> None:
    """Write a draft; it holds no secret."""
    tree = {
        "format": DRAFT_FORMAT,
        "policy": draft.text.decode(),
        "keys": list(draft.keys),
        "needed": draft.needed,
        "metadata": draft.metadata.to_dict(),
    }
    Disk().write(path, json.dumps(tree, indent=1).encode() + b"\n", when=when)


def is_draft(path: Path) -> bool:
    """Whether a file is meant as a draft, and not as the text of a policy."""
    return read_bounded(path, _MAX_DRAFT).lstrip()[:1] == b"{"


def read_text(path: Path) -> bytes:
    """The text of a policy from a file."""
    return read_bounded(path, MAX_POLICY)


def _require_sane(draft: Draft) -> None:
    """Nobody signs what he cannot have read: nothing but this one text may be signed for."""
    if set(draft.metadata.signed.targets) != {POLICY_TARGET}:
        raise DataError("draft: would sign for other files too")
    draft.policy  # noqa: B018 -- raises unless its text is what is signed for


def sha256_of(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def _moment(wall_s: float) -> str:
    moment = dt.datetime.fromtimestamp(int(wall_s), tz=dt.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
