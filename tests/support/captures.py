"""Stands in for cv2.VideoCapture, below our cameras: a scripted device."""

from __future__ import annotations

import os
from collections.abc import Iterable

import cv2
import numpy as np


class FakeCapture:
    """Gives one outcome for each grab.

    An outcome is a picture; None for a grab that fails; `"damaged"` for one that does not decode.
    After the last of them every grab fails. Reading another property than those set gives 0.
    """

    def __init__(
        self,
        outcomes: Iterable[np.ndarray | str | None] = (),
        *,
        opened: bool = True,
        props: dict[int, float] | None = None,
        pts_ms: Iterable[float] = (),
    ) -> None:
        self.outcomes = list(outcomes)
        self.opened = opened
        self.props = dict(props or {})
        self.pts_ms = list(pts_ms)
        self.calls: list[tuple[int, float]] = []
        self.released = False
        self._current: np.ndarray | str | None = None

    def isOpened(self) -> bool:  # noqa: N802
        return self.opened

    def grab(self) -> bool:
        self._current = self.outcomes.pop(0) if self.outcomes else None
        return self._current is not None

    def retrieve(self) -> tuple[bool, np.ndarray | None]:
        if isinstance(self._current, np.ndarray):
            return True, self._current
        return False, None

    def get(self, prop: int, /) -> float:
        if prop == cv2.CAP_PROP_POS_MSEC and self.pts_ms:
            return self.pts_ms.pop(0)
        return self.props.get(prop, 0.0)

    def set(self, prop: int, value: float, /) -> bool:
        self.calls.append((prop, value))
        return True

    def release(self) -> None:
        self.released = True


class CaptureShop:
    """Hands out prepared captures; notes what was asked, and under which options for FFmpeg."""

    def __init__(self, *captures: FakeCapture) -> None:
        self.captures = list(captures)
        self.asked: list[tuple[str, int, list[int]]] = []
        self.options: list[str] = []

    def __call__(self, source: str, backend: int, parameters: list[int]) -> FakeCapture:
        self.asked.append((source, backend, parameters))
        self.options.append(os.environ.get("OPENCV_FFMPEG_CAPTURE_OPTIONS", ""))
        return self.captures.pop(0)
