"""Cameras: files, folders, webcams and network streams behind `agent.ports.Camera`."""

from agent.adapters.cameras.factory import Pace, open_camera

__all__ = ["Pace", "open_camera"]
