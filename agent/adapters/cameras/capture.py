"""OpenCV's video capture: the little of it that is used, so that tests can stand in for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

import cv2


class Capture(Protocol):
    """`cv2.VideoCapture`, as far as it is used."""

    def isOpened(self) -> bool: ...  # noqa: N802

    def grab(self) -> bool: ...

    def retrieve(self) -> tuple[bool, Any]: ...

    def get(self, prop: int, /) -> float: ...

    def set(self, prop: int, value: float, /) -> bool: ...

    def release(self) -> None: ...


CaptureFactory: TypeAlias = Callable[[str, int, list[int]], Capture]
"""(source, backend, parameters as OpenCV wants them: property, value, property, value, ...)"""


def opencv_capture(source: str, backend: int, parameters: list[int]) -> Capture:
    """The real one. It does not raise: ask `isOpened`."""
    capture: Capture = cv2.VideoCapture(source, backend, parameters)
    return capture
