"""OpenCV's video capture: the little of it that is used, so that tests can stand in for it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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


@contextmanager
def environment(name: str, value: str) -> Iterator[None]:
    """Set a variable that OpenCV reads when it opens a source, for so long only.

    It must not reach the next source: what suits a stream spoils a file. A value that the user
    has set stays.
    """
    if name in os.environ:
        yield
        return
    os.environ[name] = value
    try:
        yield
    finally:
        os.environ.pop(name, None)
