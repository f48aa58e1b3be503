"""Every knob of the agent, with its unit and its bounds."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from agent.config.audit import AuditConfig
from agent.config.governor import GovernorConfig
from agent.config.hardware import GpsConfig, HardwareConfig
from agent.config.health import HealthConfig
from agent.config.mqtt import MqttConfig
from agent.config.section import Section as _Section
from agent.config.section import Slug


class DeviceConfig(_Section):
    agency: Slug = Field("field-test", description="Agency, the second level of every topic.")
    id: Slug = Field("camera-1", description="This camera, the third level of every topic.")


class CameraConfig(_Section):
    source: str = Field(
        "",
        description="A video, an image folder, /dev/video0 or camera:0, http(s):// MJPEG, "
        "rtsp://. Overridden by `run --source`.",
    )
    pace: Literal["auto", "live", "max"] = Field(
        "auto",
        description="live: newest frame wins, files in real time. max: every frame, as fast as "
        "it can be worked on. auto: max for files and folders, live for the rest.",
    )
    width: int = Field(1280, ge=160, le=7680, description="Asked of a webcam, pixels.")
    height: int = Field(720, ge=120, le=4320, description="Asked of a webcam, pixels.")
    fps: float = Field(
        30, gt=0, le=240, description="Asked of a webcam; the rate of an image folder. Frames/s."
    )
    reconnect_s: float = Field(
        1.0, ge=0.05, le=60, description="First pause before a lost live source is tried again, s."
    )
    stall_s: float = Field(
        10.0, ge=1, le=300, description="A live source silent for so long counts as lost, s."
    )


class DetectionConfig(_Section):
    score: float = Field(
        0.6, ge=0.02, le=0.99, description="Lowest detector score that counts as a face, 0..1."
    )
    nms_iou: float = Field(
        0.45, gt=0, le=1, description="Boxes overlapping more than this are one face, 0..1."
    )
    min_face_px: int = Field(
        24, ge=8, le=300, description="Smallest face width to find, pixels of the frame."
    )
    max_rate_hz: float = Field(
        10.0,
        ge=0,
        le=240,
        description="Detections per second at most; tracks are predicted in between. 0: every "
        "frame.",
    )


class TrackingConfig(_Section):
    confirm_hits: int = Field(3, ge=1, le=30, description="Detections that confirm a track.")
    confirm_s: float = Field(
        1.0, gt=0, le=10, description="A track not confirmed within this time ends, s."
    )
    lost_s: float = Field(
        2.0, gt=0, le=10, description="A track not seen for so long ends and is wiped, s."
    )
    motion_compensation: bool = Field(
        True, description="Estimate the camera's own motion and take it out."
    )


class RecognitionConfig(_Section):
    shots_per_s: float = Field(
        4.0, gt=0, le=30, description="Embeddings per second of each undecided track, at most."
    )
    decided_shots_per_s: float = Field(
        0.5, ge=0, le=30, description="The same, once a track has been decided."
    )
    max_shots: int = Field(12, ge=1, le=100, description="Shots kept in a track's template.")
    min_quality: float = Field(
        0.30, ge=0, le=1, description="Crops of lower quality are not embedded, 0..1."
    )
    min_face_px: int = Field(
        32, ge=16, le=500, description="Faces narrower than this are not embedded, pixels."
    )


class DecisionConfig(_Section):
    min_shots: int = Field(3, ge=1, le=50, description="Distinct shots needed for an alert.")
    threshold: float = Field(
        0.0,
        ge=0,
        le=1,
        description="A stricter similarity threshold than policy and list give; 0: theirs.",
    )
    margin: float = Field(
        0.05, ge=0, le=1, description="Needed over the best other subject, cosine."
    )
    cooldown_s: float = Field(
        60.0, ge=1, le=86400, description="No second alert for a subject within this time, s."
    )


class MonitorConfig(_Section):
    fragmentation: float = Field(
        1.0,
        ge=1,
        le=100,
        description="Tracks per person who passes, of those long enough to be judged, for the "
        "running monitor of false alerts: a higher figure makes it stricter. 1: as measured, "
        "where nobody counted twice (agent/docs/decisions/false-alert-monitor.md).",
    )


class ModelsConfig(_Section):
    dir: str = Field("", description="Folder of the built models; empty: the usual places.")
    precision: Literal["auto", "int8", "fp32"] = Field(
        "auto", description="auto: what `models bench` found faster on this device."
    )
    threads: int = Field(2, ge=1, le=64, description="Threads for each network.")


class WatchlistConfig(_Section):
    ef_search: int = Field(
        64,
        ge=10,
        le=2000,
        description="Least breadth of the hnswlib search of a long list; it grows until that "
        "finds what exact search finds.",
    )
    candidates: int = Field(16, ge=2, le=200, description="Candidates re-scored exactly.")


class SyncConfig(_Section):
    url: str = Field(
        "",
        max_length=500,
        pattern=r"^(https?://\S+)?$",
        description="The agency's list repository; empty: as provisioned, else no list is fetched.",
    )
    list: str = Field(
        "",
        pattern=r"^[A-Za-z0-9_.:-]{0,64}$",
        description="Id of the list to follow; empty: the only one sealed to this device.",
    )
    every_s: float = Field(
        900.0, ge=5, le=86400, description="Pause between two looks for a new list, s."
    )
    jitter: float = Field(
        0.2, ge=0, le=1, description="The pause varies by this share, so that devices spread out."
    )
    timeout_s: float = Field(15.0, ge=1, le=300, description="Silence of the server gives up, s.")
    bandwidth_kb_s: float = Field(
        0.0,
        ge=0,
        le=1_000_000,
        description="Download at most so fast, kB/s; 0: as fast as it goes.",
    )
    quota_mb: float = Field(
        1024.0, ge=1, le=1_000_000, description="Disk that lists may take altogether, MB."
    )
    ca_file: str = Field("", description="CA certificates for https; empty: the system's.")
    client_cert: str = Field("", description="Client certificate, PEM; empty: none.")
    client_key: str = Field("", description="Its key, PEM; empty: in the same file.")


class StoreConfig(_Section):
    unlock: Literal["as-provisioned", "device", "operator", "hub"] = Field(
        "as-provisioned",
        description="Where the key of the list's store must come from; another way than the "
        "device was provisioned with is refused. device protects nothing when the device is taken.",
    )


class DeliveryConfig(_Section):
    confirm: Literal["auto", "hub", "broker"] = Field(
        "auto",
        description="What counts as delivered. hub: the agency's receiver says, under its "
        "signature, that it has the event. broker: its acknowledgement (the weaker promise: a "
        "broker may acknowledge what nobody receives). auto: hub on a provisioned device, else "
        "broker.",
    )
    in_flight: int = Field(20, ge=1, le=100, description="Events handed to MQTT at once.")
    ack_timeout_s: float = Field(
        20.0, ge=1, le=3600, description="An unconfirmed event is sent again after this, s."
    )
    retry_first_s: float = Field(0.5, ge=0.05, le=60, description="First pause after a failure, s.")
    retry_cap_s: float = Field(60.0, ge=1, le=3600, description="Longest pause after failures, s.")
    drain_s: float = Field(
        10.0, ge=0, le=600, description="At the end of a file, wait so long for confirmations, s."
    )
    live_for_s: float = Field(
        300.0,
        ge=1,
        le=86_400,
        description="An event older than this is marked historical when it goes out, s.",
    )
    expire_s: float = Field(
        0.0,
        ge=0,
        le=31_536_000,
        description="An event not delivered within this time is given up, s; 0: never.",
    )
    max_events: int = Field(
        10_000,
        ge=10,
        le=100_000,
        description="Events kept on disk; beyond, the lowest priority, oldest first, is given up.",
    )
    max_mb: float = Field(64.0, ge=1, le=10_000, description="The same for their bytes, MB.")


class StorageConfig(_Section):
    reserve_mb: float = Field(
        8.0,
        ge=0,
        le=1000,
        description="Disk set aside for alerts and the audit log when the rest is full, MB; 0: "
        "none, and a full disk ends the run.",
    )


class Config(_Section):
    """The whole configuration. Everything has a default; only `mqtt.host` is usually set."""

    device: DeviceConfig = DeviceConfig()
    camera: CameraConfig = CameraConfig()
    detection: DetectionConfig = DetectionConfig()
    tracking: TrackingConfig = TrackingConfig()
    recognition: RecognitionConfig = RecognitionConfig()
    decision: DecisionConfig = DecisionConfig()
    monitor: MonitorConfig = MonitorConfig()
    models: ModelsConfig = ModelsConfig()
    watchlist: WatchlistConfig = WatchlistConfig()
    sync: SyncConfig = SyncConfig()
    store: StoreConfig = StoreConfig()
    mqtt: MqttConfig = MqttConfig()
    delivery: DeliveryConfig = DeliveryConfig()
    storage: StorageConfig = StorageConfig()
    health: HealthConfig = HealthConfig()
    hardware: HardwareConfig = HardwareConfig()
    gps: GpsConfig = GpsConfig()
    governor: GovernorConfig = GovernorConfig()
    audit: AuditConfig = AuditConfig()
