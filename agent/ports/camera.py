"""Where frames come from."""

from __future__ import annotations

from typing import Protocol

from agent.values import CaptureCounts, Frame


class Camera(Protocol):
    """A source of frames. Used from one thread only, but for `interrupt`.

    Attributes:
        live: True when frames arrive whether or not they are read (webcam, network stream), so
            that old ones are worthless; False when every frame waits to be read (file, folder).
    """

    live: bool

    def open(self) -> None:
        """Open the source.

        Raises:
            MissingFileError: no such file or folder.
            DataError: the file is not a video or image.
            CameraError: the device or stream cannot be reached.
        """

    def read(self) -> Frame | None:
        """The next frame, blocking until there is one; None at the end of the stream.

        Corrupt frames are skipped and counted, never returned.

        Raises:
            CameraError: the source went away; `open` may be tried again.
        """

    def skip(self) -> bool:
        """Pass over the next frame, blocking until there is one; False at the end of the stream.

        For a disarmed device: the frame keeps its number, and no picture is made of it.

        Raises:
            CameraError: the source went away; `open` may be tried again.
        """

    def interrupt(self) -> None:
        """For good, from any thread: whoever waits in `open`, `read` or `skip` gets an error soon.

        A source that is never silent for long, or offers no way to be interrupted, goes on to its
        own time limit.
        """

    def counts(self) -> CaptureCounts: ...

    def close(self) -> None:
        """Release the source; safe to call twice, and while not open."""
