"""Every wire format with its JSON Schema and an example, as the text of files.

Generated into `agent/docs/schemas` and `agent/docs/examples`; a test keeps those in step.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel

from agent.messages.accountability import AccountabilityReport, HubReport
from agent.messages.ack import Ack
from agent.messages.authorisation import Authorisation, AuthorisedBy, Revocation, Scope
from agent.messages.bundle import EnvelopeFile, ListManifest
from agent.messages.checkpoint import AnchorsFile, CheckpointData, CheckpointEvent
from agent.messages.command import Command, CommandArguments
from agent.messages.control import ControlReply, ControlRequest
from agent.messages.gap import GapData, GapEvent, GapReasons
from agent.messages.health import (
    Battery,
    Disk,
    FalseAlerts,
    Frames,
    GovernorHealth,
    HealthMessage,
    Latencies,
    Latency,
    LinkCertificates,
    ListHealth,
    OutboxHealth,
    SyncHealth,
)
from agent.messages.match import (
    MATCH_TYPE,
    TEST_ID,
    TEST_TYPE,
    UPDATE_TYPE,
    FaceInfo,
    MatchData,
    MatchEvent,
    ModelHashes,
    WatchlistInfo,
)
from agent.messages.policy import AreaClause, PolicyDocument
from agent.messages.provisioning import (
    ProvisioningFile,
    ProvisioningRequest,
    UnlockRelease,
    UnlockRequest,
)
from agent.messages.sealed import SealedContent, SealedData, SealedEvent
from agent.messages.state import StateMessage

WIRE_MODELS: dict[str, type[BaseModel]] = {
    "match": MatchEvent,
    "gap": GapEvent,
    "checkpoint": CheckpointEvent,
    "anchors": AnchorsFile,
    "sealed": SealedEvent,
    "sealed-content": SealedContent,
    "ack": Ack,
    "command": Command,
    "state": StateMessage,
    "health": HealthMessage,
    "control-request": ControlRequest,
    "control-reply": ControlReply,
    "policy": PolicyDocument,
    "authorisation": Authorisation,
    "revocation": Revocation,
    "list-manifest": ListManifest,
    "list-envelopes": EnvelopeFile,
    "provisioning": ProvisioningFile,
    "provisioning-request": ProvisioningRequest,
    "unlock-request": UnlockRequest,
    "unlock-release": UnlockRelease,
    "accountability": AccountabilityReport,
    "hub-report": HubReport,
}
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_FIRST_ID = "01K3GD4Z8AAAAAAAAAAAAAAAAA"
_SIGNED = {"signer": "5" * 32, "signature": "A" * 86 + "=="}
_UPDATE_ID = "01K3GD5T1JBBBBBBBBBBBBBBBB"


def schema_text(model: type[BaseModel]) -> str:
    """The JSON Schema (2020-12) of a model, as the text of a file."""
    return _text({"$schema": _DIALECT, **model.model_json_schema(by_alias=True)})


def schemas() -> dict[str, str]:
    """File name to text, for every wire format."""
    return {f"{name}.schema.json": schema_text(model) for name, model in WIRE_MODELS.items()}


def examples() -> dict[str, str]:
    """File name to text; the name begins with that of the format."""
    first = _example_match(match=None)
    del first["data"]["match"]
    state = StateMessage(
        session=12,
        online=True,
        state="armed",
        reason="field test",
        version="0.1.0",
        since="2026-03-01T12:00:00.000Z",
        watchlist="field-test",
        test=True,
    )
    return {
        "match.json": _text(first),
        "match.update.json": _text(_example_match(match=_FIRST_ID)),
        "match.test.json": _text(_example_drill()),
        "gap.json": _text(_example_gap().model_dump(mode="json")),
        "checkpoint.json": _text(_example_checkpoint().model_dump(mode="json")),
        "anchors.json": _text(_example_anchors().model_dump(mode="json")),
        "sealed.json": _text(_example_sealed().model_dump(mode="json")),
        "ack.json": _text(_example_ack().model_dump(mode="json")),
        "command.json": _text(_example_command().model_dump(mode="json")),
        "authorisation.json": _text(_example_authorisation().model_dump(mode="json")),
        "revocation.json": _text(_example_revocation().model_dump(mode="json")),
        "state.json": _text(state.model_dump(mode="json", by_alias=True)),
        "health.json": _text(_example_health().model_dump(mode="json", by_alias=True)),
    }


def _example_match(match: str | None) -> dict[str, Any]:
    event = MatchEvent(
        id=_UPDATE_ID if match else _FIRST_ID,
        source="/field-test/camera-1",
        type=UPDATE_TYPE if match else MATCH_TYPE,
        time="2026-03-01T12:34:56.789Z",
        subject="s-0042",
        data=MatchData(
            entry="e-0042",
            subject="s-0042",
            similarity=0.634512,
            threshold=0.5,
            margin=0.281034,
            shots=5,
            first_seen="2026-03-01T12:34:55.100Z",
            last_seen="2026-03-01T12:34:56.700Z",
            face=FaceInfo(width_px=87.3, quality=0.81),
            watchlist=WatchlistInfo(id="field-test", version=3),
            models=ModelHashes(detector="1" * 64, embedder="2" * 64),
            policy="3" * 64,
            authorisation="field-test",
            activation="01K3GD0000CCCCCCCCCCCCCCCC",
            test=True,
            match=match,
        ),
    )
    return event.model_dump(mode="json")


def _example_drill() -> dict[str, Any]:
    tree = _example_match(match=None)
    tree |= {"id": _UPDATE_ID, "type": TEST_TYPE, "subject": TEST_ID}
    tree["data"] |= {
        "entry": TEST_ID,
        "subject": TEST_ID,
        "authorisation": TEST_ID,
        "activation": _UPDATE_ID,
        "similarity": 0.0,
        "threshold": 1.0,
        "margin": 0.0,
        "shots": 1,
        "first_seen": tree["time"],
        "last_seen": tree["time"],
        "face": {"width_px": 0.0, "quality": 0.0},
    }
    del tree["data"]["match"]
    return tree


def _example_health() -> HealthMessage:
    return HealthMessage(
        time="2026-03-01T12:35:00.000Z",
        session=12,
        version="0.1.0",
        test=True,
        uptime_s=3725,
        every_s=60.0,
        state="armed",
        armed=True,
        frames=Frames(processed=600, dropped=0),
        faces_per_minute="10-29",
        latency_ms=Latencies(
            detect=Latency(p50=20.0, p95=50.0), alert_to_ack=Latency(p50=100.0, p95=200.0)
        ),
        temperature_c=58.0,
        battery=Battery(percent=27.0, charging=False),
        governor=GovernorHealth(rules=("battery-low",), rate_hz=6.0, face_px=24.0, shots_per_s=3.0),
        disk=Disk(free_mb=21044, reserve="held"),
        memory_mb=352,
        outbox=OutboxHealth(waiting=0, parked=0, given_up=0),
        watchlist=ListHealth(
            id="L-3f2c", version=7, age_s=93_600, not_after="2026-03-29T00:00:00.000Z"
        ),
        sync=SyncHealth(kind="nochange", last_good="2026-03-01T12:30:11.000Z"),
        link=LinkCertificates(certificate_days=88, broker_certificate_days=30),
        clock="synchronised",
        false_alerts=FalseAlerts(rejected=1, exceeded=False),
    )


def _example_gap() -> GapEvent:
    return GapEvent(
        id=_UPDATE_ID,
        source="/field-test/camera-1",
        time="2026-03-01T18:00:00.000Z",
        data=GapData(
            first="2026-03-01T12:34:56.789Z",
            last="2026-03-01T15:02:11.000Z",
            events=42,
            by_reason=GapReasons(outbox_full=40, disk_full=2),
            exact=True,
            test=True,
        ),
    )


def _example_checkpoint() -> CheckpointEvent:
    return CheckpointEvent(
        id=_FIRST_ID,
        source="/example-pd/camera-1",
        time="2026-03-01T12:34:56.789Z",
        data=CheckpointData(first=412, last=437, hash="8" * 64, key="5" * 64),
        **_SIGNED,
    )


def _example_anchors() -> AnchorsFile:
    return AnchorsFile(
        agency="example-pd", device="camera-1", key="5" * 64, anchors=(_example_checkpoint(),)
    )


def _example_sealed() -> SealedEvent:
    return SealedEvent(
        id=_FIRST_ID,
        source="/example-pd/camera-1",
        type=MATCH_TYPE,
        time="2026-03-01T12:34:56.789Z",
        data=SealedData(key_id="4" * 32, sealed="A" * 1408),
        historical=False,
        **_SIGNED,
    )


def _example_ack() -> Ack:
    return Ack(
        agency="example-pd",
        device="camera-1",
        ids=(_FIRST_ID, _UPDATE_ID),
        rejected=(_FIRST_ID,),
        time="2026-03-01T12:34:57.012Z",
        **_SIGNED,
    )


def _example_command() -> Command:
    return Command(
        agency="example-pd",
        device="camera-1",
        device_key="6" * 32,
        counter=7,
        not_after=1_772_370_000,
        command="disarm",
        arguments=CommandArguments(reason="the operation is over"),
        **_SIGNED,
    )


def _example_authorisation() -> Authorisation:
    market = AreaClause(
        name="market square", polygon=((51.4820, -3.1810), (51.4820, -3.1760), (51.4790, -3.1785))
    )
    return Authorisation(
        agency="example-pd",
        id="MP-2031",
        version=1,
        type="missing-person",
        scope=Scope(
            lists=("L-3f2c",),
            devices=("camera-1", "camera-2"),
            areas=(market,),
            not_before="2026-03-01T12:00:00.000Z",
            not_after="2026-03-01T20:00:00.000Z",
        ),
        authorised_by=AuthorisedBy(role="superintendent", reference="2026/0117"),
        issued="2026-03-01T11:30:00.000Z",
        **_SIGNED,
    )


def _example_revocation() -> Revocation:
    return Revocation(
        agency="example-pd",
        authorisation="MP-2031",
        reason="found",
        at="2026-03-01T14:05:00.000Z",
        **_SIGNED,
    )


def _text(tree: Any) -> str:
    return json.dumps(tree, indent=2, ensure_ascii=False) + "\n"
