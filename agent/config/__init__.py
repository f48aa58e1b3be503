"""Configuration: one YAML document, checked as a whole, every problem reported at once."""

from agent.config.mqtt import MqttConfig, MqttTlsConfig
from agent.config.parse import Layer, dump, parse
from agent.config.schema import (
    CameraConfig,
    Config,
    DecisionConfig,
    DeliveryConfig,
    DetectionConfig,
    DeviceConfig,
    ModelsConfig,
    RecognitionConfig,
    StorageConfig,
    TrackingConfig,
    WatchlistConfig,
)

__all__ = [
    "CameraConfig",
    "Config",
    "DecisionConfig",
    "DeliveryConfig",
    "DetectionConfig",
    "DeviceConfig",
    "Layer",
    "ModelsConfig",
    "MqttConfig",
    "MqttTlsConfig",
    "RecognitionConfig",
    "StorageConfig",
    "TrackingConfig",
    "WatchlistConfig",
    "dump",
    "parse",
]
