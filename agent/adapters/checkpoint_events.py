"""Checkpoints as they arrive at the hub, and anchors as they come back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from agent.adapters.signing import verify
from agent.audit.checkpoint import signed_by
from agent.audit.walk import Trust
from agent.errors import DataError, RefusedError
from agent.messages.checkpoint import AnchorsFile, CheckpointEvent


def check_checkpoint(
    tree: Mapping[str, Any], agency: str, device: str, sign_key: bytes
) -> CheckpointEvent:
    """Whether a checkpoint is what this device signed.

    Args:
        tree: as it arrived, JSON values.
        agency: of the topic it arrived on.
        device: of that topic, too.
        sign_key: the device's Ed25519 public key, 32 bytes.

    Raises:
        DataError: it is no checkpoint.
        RefusedError: another device's, or changed on its way.
    """
    try:
        event = CheckpointEvent.model_validate(tree)
    except ValidationError as error:
        raise DataError(f"no checkpoint: {_first(error)}") from None
    if event.source != f"/{agency}/{device}":
        raise RefusedError(
            f"checkpoint {event.id}: says it is from {event.source}, not so its topic"
        )
    if signed_by(tree, verify) != sign_key.hex():
        raise RefusedError(f"checkpoint {event.id}: not signed by {device}, or changed on its way")
    return event


def trust_in(data: bytes) -> Trust:
    """What a file of the hub's anchors says of a log.

    Raises:
        DataError: not such a file, a signature in it does not hold, or the hub has two logs of
            this camera.
    """
    try:
        file = AnchorsFile.model_validate_json(data)
    except ValidationError as error:
        raise DataError(f"no anchors of bodycam-hub: {_first(error)}") from None
    key, anchors = bytes.fromhex(file.key), dict[int, str]()
    end = -1
    for event in sorted(file.anchors, key=lambda one: one.data.last):
        try:
            check_checkpoint(event.model_dump(mode="json"), file.agency, file.device, key)
        except RefusedError as error:
            raise DataError(str(error)) from None
        if event.data.first <= end:
            raise DataError(
                f"the hub has two logs of {file.device} from record {event.data.first} on: its "
                "disk was restored or copied"
            )
        end = event.data.last
        anchors[end] = event.data.hash
    return Trust(file.key, anchors)


def _first(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(ascii(part).strip("'") for part in problem["loc"])[:80]
    return f"{where}: {problem['msg']}"
