"""Sees everything that an agent makes of faces, and finds it again in any bytes.

`Witness` stands around the two networks and remembers every box, crop and template, which nothing
else does. `found_in` looks for them in the spellings in which they could leak: as they are in
memory, in half precision, in base64 at any alignment, in hexadecimal, in decimals.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from agent.app.context import Models
from agent.ports import Detector, Embedder, ModelIdentity
from agent.values import F32, BgrImage, Crops, FaceDetections, Vectors

_ROWS = (40, 56, 72)
_ROW_BYTES = slice(120, 184)
_PART = slice(40, 48)
_NUMBER = re.compile(rb"(?<![\w.])\d{1,5}(?:\.\d+)?(?![\w.])")
_APART = 14
"""Bytes between the numbers of a box in a text, at most: a key of JSON fits."""
_FLAT = 2.0


@dataclass
class Witness:
    """Remembers what passed.

    Attributes:
        boxes: left, top, right, bottom, one array for each face in each picture.
        crops: (112, 112, 3).
        templates: unit vectors.
    """

    boxes: list[F32] = field(default_factory=list)
    crops: list[BgrImage] = field(default_factory=list)
    templates: list[F32] = field(default_factory=list)

    def around(self, models: Models) -> Models:
        """The same networks, watched."""
        return Models(
            _Detector(models.detector, self), _Embedder(models.embedder, self), models.curve
        )

    def found_in(self, places: Mapping[str, bytes]) -> list[tuple[str, str]]:
        """What of it is there: (what, where)."""
        needles = [*self._needles()]
        boxes = {numbers for box in self.boxes for numbers in _as_text(box)}
        found = []
        for name, data in places.items():
            found += [(what, name) for what, needle in needles if needle in data]
            if not boxes.isdisjoint(_fours(data)):
                found.append(("box, in decimals", name))
        return found

    def _needles(self) -> Iterator[tuple[str, bytes]]:
        for box in self.boxes:
            yield from _spelt("box", box.astype("<f4").tobytes())
        for crop in self.crops:
            for row in (crop[number] for number in _ROWS):
                if row.std() > _FLAT:
                    yield from _spelt("crop row", row.tobytes()[_ROW_BYTES])
        for template in self.templates:
            yield from _spelt("template", template[_PART].astype("<f4").tobytes())
            yield "template, halved", template[_PART].astype("<f2").tobytes()
            yield "template, in decimals", decimals(template)[1:-1].encode()


@dataclass
class _Detector:
    inner: Detector
    witness: Witness

    @property
    def identity(self) -> ModelIdentity:
        return self.inner.identity

    def detect(self, image: BgrImage) -> FaceDetections:
        faces = self.inner.detect(image)
        self.witness.boxes += [box.copy() for box in faces.boxes]
        return faces

    def find_from(self, face_px: float) -> None:
        self.inner.find_from(face_px)

    def forget(self) -> None:
        self.inner.forget()


@dataclass
class _Embedder:
    inner: Embedder
    witness: Witness

    @property
    def identity(self) -> ModelIdentity:
        return self.inner.identity

    @property
    def dim(self) -> int:
        return self.inner.dim

    def embed(self, crops: Crops) -> Vectors:
        vectors = self.inner.embed(crops)
        self.witness.crops += [crop.copy() for crop in crops]
        self.witness.templates += [vector.copy() for vector in vectors]
        return vectors

    def forget(self) -> None:
        self.inner.forget()


@dataclass
class Snapshots:
    """Every state of every file under these folders, as often as they can be read.

    Attributes:
        blobs: content by `path#hash`; files that were gone again are there too.
    """

    folders: tuple[Path, ...]
    blobs: dict[str, bytes] = field(default_factory=dict)

    def take(self) -> None:
        for path in (path for folder in self.folders for path in folder.rglob("*")):
            with suppress(OSError):
                if path.is_file():
                    data = path.read_bytes()
                    self.blobs.setdefault(f"{path.name}#{hash(data):x}", data)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Again and again meanwhile."""
        over = threading.Event()

        def work() -> None:
            while not over.wait(0.02):
                self.take()

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            self.take()


def decimals(template: F32) -> str:
    """A part of it as JSON, four digits each."""
    return json.dumps([round(float(value), 4) for value in template[_PART]])


def spellings(data: bytes) -> dict[str, bytes]:
    """As it is, in hexadecimal, and what of it stands in base64 whatever comes before and after."""
    found = {"": data, "hexadecimal": data.hex().encode()}
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + data)
        found[f"base64 after {before}"] = encoded[4 : len(encoded) // 4 * 4 - 4]
    return found


def _spelt(what: str, data: bytes) -> Iterable[tuple[str, bytes]]:
    return [(f"{what}, {how}" if how else what, spelt) for how, spelt in spellings(data).items()]


def _as_text(box: F32) -> Iterator[tuple[int, ...]]:
    """Its corners, or its place and size; cut off or rounded."""
    left, top, right, bottom = (float(value) for value in box)
    for numbers in ((left, top, right, bottom), (left, top, right - left, bottom - top)):
        yield tuple(int(value) for value in numbers)
        yield tuple(round(value) for value in numbers)


def _fours(data: bytes) -> Iterator[tuple[int, ...]]:
    """Four numbers near each other in a text, cut off and rounded."""
    found = list(_NUMBER.finditer(data))
    for four in zip(*(found[at:] for at in range(4)), strict=False):
        near = all(b.start() - a.end() <= _APART for a, b in pairwise(four))
        if near:
            values = [float(one.group()) for one in four]
            yield tuple(int(value) for value in values)
            yield tuple(round(value) for value in values)
