import os
import struct
import zlib

import cv2
import numpy as np
import pytest

from agent.adapters.images import decode_image, read_image
from agent.errors import DataError, MissingFileError

LEFT_RED = np.zeros((40, 60, 3), np.uint8)
LEFT_RED[:, :30] = (0, 0, 255)


def saved(path, image):
    assert cv2.imwrite(str(path), image)
    return path


def png_claiming(width, height):
    def chunk(name, body):
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


def with_orientation(jpeg, value):
    tiff = b"MM\0*\0\0\0\x08\0\x01" + struct.pack(">HHIHH", 0x0112, 3, 1, value, 0) + bytes(4)
    body = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".webp", ".jpg"])
def test_reads_each_format(tmp_path, suffix):
    image = read_image(saved(tmp_path / f"face{suffix}", LEFT_RED))
    assert image.dtype == np.uint8
    assert image.shape == (40, 60, 3)
    assert image[20, 5, 2] > 200
    assert image[20, 5, 0] < 60


def test_grey_is_widened(tmp_path):
    image = read_image(saved(tmp_path / "grey.png", np.full((8, 9), 77, np.uint8)))
    assert image.shape == (8, 9, 3)
    assert (image == 77).all()


def test_sixteen_bits_are_narrowed(tmp_path):
    image = read_image(saved(tmp_path / "deep.png", np.full((8, 9, 3), 77 * 257, np.uint16)))
    assert image.dtype == np.uint8
    assert (image == 77).all()


@pytest.mark.parametrize(("alpha", "expected"), [(0, 255), (255, 100), (51, 224)])
def test_transparent_is_shown_on_white(tmp_path, alpha, expected):
    picture = np.full((300, 9, 4), 100, np.uint8)
    picture[:, :, 3] = alpha
    assert (read_image(saved(tmp_path / "a.png", picture)) == expected).all()


def test_exif_orientation_is_followed(tmp_path):
    ok, jpeg = cv2.imencode(".jpg", LEFT_RED)
    assert ok
    turned = tmp_path / "turned.jpg"
    turned.write_bytes(with_orientation(jpeg.tobytes(), 6))  # 6: turn right to view
    image = read_image(turned)
    assert image.shape == (60, 40, 3)
    assert image[5, 20, 2] > 200
    assert image[55, 20, 2] < 60


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "empty"),
        (b"just some text\n" * 30, "not a BMP or JPEG or PNG or WEBP picture"),
        (b"\xff\xd8\xff\xe0", "not a BMP or JPEG or PNG or WEBP picture"),
        (png_claiming(20_000, 20_000), "20000x20000 is too large"),
        (png_claiming(100, 100), "damaged PNG"),
    ],
)
def test_bad_files_are_refused_in_one_line(tmp_path, content, expected):
    path = tmp_path / "bad.png"
    path.write_bytes(content)
    with pytest.raises(DataError, match=expected) as caught:
        read_image(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_photograph_cut_short_is_refused(tmp_path):
    whole = saved(tmp_path / "whole.jpg", LEFT_RED).read_bytes()
    with pytest.raises(DataError, match="cut short"):
        decode_image(whole[:-30], "photo")


def test_missing_file_and_odd_paths(tmp_path):
    with pytest.raises(MissingFileError, match="no such file"):
        read_image(tmp_path / "none.jpg")
    with pytest.raises(MissingFileError, match=r"a.b\.jpg: "):
        read_image("a\0b.jpg")
    with pytest.raises(DataError, match="is a folder"):
        read_image(tmp_path)
    fifo = tmp_path / "pipe.jpg"
    os.mkfifo(fifo)
    with pytest.raises(DataError, match="not a regular file"):
        read_image(fifo)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_forbidden_file(tmp_path):
    path = saved(tmp_path / "secret.png", LEFT_RED)
    path.chmod(0)
    with pytest.raises(MissingFileError, match="Permission denied"):
        read_image(path)


def test_a_chunk_that_claims_gigabytes_reserves_nothing(tmp_path):
    whole = saved(tmp_path / "a.png", LEFT_RED).read_bytes()
    at = whole.index(b"IDAT") - 4
    lying = whole[:at] + b"\xb0\0\0\0" + whole[at + 4 :]
    with pytest.raises(DataError, match="cut short"):
        decode_image(lying, "photo")
