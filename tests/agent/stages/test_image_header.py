import struct

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.stages.image_header import read_header

PICTURE = np.random.default_rng(7).integers(0, 255, (37, 61, 3), np.uint8)
KINDS = {".jpg": "jpeg", ".png": "png", ".bmp": "bmp", ".webp": "webp"}


def encoded(suffix, *params):
    ok, data = cv2.imencode(suffix, PICTURE, list(params))
    assert ok
    return data.tobytes()


@pytest.mark.parametrize("suffix", KINDS)
def test_size_and_kind(suffix):
    header = read_header(encoded(suffix))
    assert header is not None
    assert (header.kind, header.width, header.height) == (KINDS[suffix], 61, 37)
    assert header.complete
    assert header.pixels == 61 * 37


def test_lossy_webp_and_progressive_jpeg():
    webp = read_header(encoded(".webp", cv2.IMWRITE_WEBP_QUALITY, 50))
    jpeg = read_header(encoded(".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1))
    assert webp is not None
    assert jpeg is not None
    assert (webp.width, webp.height) == (jpeg.width, jpeg.height) == (61, 37)


@pytest.mark.parametrize("suffix", KINDS)
def test_cut_short(suffix):
    header = read_header(encoded(suffix)[:-40])
    assert header is not None
    assert not header.complete


def test_end_marker_inside_an_exif_thumbnail_does_not_count():
    whole = encoded(".jpg")
    thumbnail = b"Exif\0\0" + whole
    segment = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    with_exif = whole[:2] + segment + whole[2:]
    assert read_header(with_exif) == read_header(whole)
    cut = read_header(with_exif[:-40])
    assert cut is not None
    assert not cut.complete


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"\xff\xd8\xff", b"hello" * 20, b"BM", b"RIFF"])
def test_not_a_picture(data):
    assert read_header(data) is None


@given(
    data=st.binary(max_size=200),
    start=st.sampled_from(
        [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"BM", b"RIFF1234WEBPVP8X"]
    ),
)
def test_any_bytes_are_answered(data, start):
    header = read_header(start + data)
    assert header is None or header.pixels > 0
