"""Everything that a bad broker may do, one script for each."""

from __future__ import annotations

from functools import partial

from tests.support.hostile_broker import Guest, Script, wait_for_ever
from tests.support.recording_broker import CONNECT, PUBLISH, SUBSCRIBE, remaining_length

CONNACK_CODES = (
    0x01, 0x05, 0x7F, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C,
    0x90, 0x95, 0x97, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F, 0xFF,
)  # fmt: skip
"""All of MQTT 5, table 3-1, two of 3.1.1, and three of nowhere."""
PUBACK_CODES = (0x80, 0x83, 0x87, 0x91, 0x97, 0x7F, 0xFF)
SUBACK_CODES = (0x00, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2, 0x7F)
DISCONNECT_CODES = (
    0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8D, 0x8E, 0x8F, 0x90, 0x93, 0x94,
    0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2, 0x7F,
)  # fmt: skip


def connack(code: int, guest: Guest) -> None:
    guest.accept(code)


def told(properties: bytes, guest: Guest) -> None:
    guest.accept(0, properties)
    guest.serve()


def puback(code: int, guest: Guest) -> None:
    guest.accept()
    while True:
        body = guest.read_until(PUBLISH)
        at = 2 + int.from_bytes(body[:2], "big")
        guest.send(b"\x40\x04" + body[at : at + 2] + bytes([code, 0]))


def suback(code: int, guest: Guest) -> None:
    guest.accept()
    guest.suback(guest.read_until(SUBSCRIBE), code)


def disconnect(code: int, guest: Guest) -> None:
    guest.accept()
    guest.send(bytes([0xE0, 2, code, 0]))


def raw(data: bytes, guest: Guest) -> None:
    """These bytes after a good CONNACK, then a wait for the camera to leave or be left."""
    guest.accept()
    guest.send(data)
    guest.gone.wait(1.0)


def greeting(data: bytes, guest: Guest) -> None:
    guest.read_until(CONNECT)
    guest.send(data)
    guest.gone.wait(1.0)


def hang_up_after(packets: int, guest: Guest) -> None:
    if packets:
        guest.accept()
    for _ in range(packets - 1):
        guest.read()


def slow_connack(guest: Guest) -> None:
    guest.read_until(CONNECT)
    guest.drip(b"\x20\x03\x00\x00\x00" * 50, 0.1)


def slow_message(guest: Guest) -> None:
    guest.accept()
    guest.drip(guest.command(bytes(2000)), 0.02)


def never_puback(guest: Guest) -> None:
    guest.accept()
    while True:
        guest.read()


def half_open(guest: Guest) -> None:
    guest.accept()
    wait_for_ever(guest)


SCRIPTS: dict[str, Script] = {
    **{f"connack {code:#04x}": partial(connack, code) for code in CONNACK_CODES},
    **{f"puback {code:#04x}": partial(puback, code) for code in PUBACK_CODES},
    **{f"suback {code:#04x}": partial(suback, code) for code in SUBACK_CODES},
    **{f"disconnect {code:#04x}": partial(disconnect, code) for code in DISCONNECT_CODES},
    **{f"hangs up after {n} packets": partial(hang_up_after, n) for n in range(5)},
    "takes packets of 100 bytes": partial(told, b"\x27\x00\x00\x00\x64"),
    "takes no publish": partial(told, b"\x21\x00\x00"),
    "knows no QoS 1": partial(told, b"\x24\x00"),
    "says a property twice": partial(told, b"\x21\x00\x05\x21\x00\x05"),
    "says unknown properties": partial(told, b"\x7f\x00"),
    "greets with nonsense": partial(greeting, b"\xff" * 40),
    "greets as a web server": partial(greeting, b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "greets with a short connack": partial(greeting, b"\x20\x01\x00"),
    "greets with a connack of 10 MB": partial(greeting, b"\x20" + remaining_length(10_000_000)),
    "pings": partial(raw, b"\xc0\x00" * 50_000),
    "releases what was never sent": partial(raw, b"\x62\x02\x00\x01" * 50_000),
    "acknowledges what was never sent": partial(raw, b"\x40\x02\x77\x77" * 50_000),
    "answers pings that were never sent": partial(raw, b"\xd0\x00" * 50_000),
    "sends QoS 2": partial(raw, b"\x34\x09\x00\x01a\x00\x01\x00abc"),
    "sends QoS 3": partial(raw, b"\x36\x09\x00\x01a\x00\x01\x00abc"),
    "sends half a publish": partial(raw, b"\x32\x7f\x00\x04"),
    "sends a publish without a topic": partial(raw, b"\x32\x00"),
    "sends a topic longer than the packet": partial(raw, b"\x32\x05\xff\xff\x00\x00\x00"),
    "sends a topic that is no UTF-8": partial(raw, b"\x32\x06\x00\x01\xff\x00\x01\x00"),
    "sends a length of five bytes": partial(raw, b"\x32\xff\xff\xff\xff\xff"),
    "sends AUTH": partial(raw, b"\xf0\x00"),
    "sends an empty suback": partial(raw, b"\x90\x00"),
    "sends an empty puback": partial(raw, b"\x40\x00"),
    "sends a second connack": partial(raw, b"\x20\x03\x00\x00\x00" * 100),
    "is silent from the start": wait_for_ever,
    "is silent after connack": half_open,
    "never acknowledges": never_puback,
    "drips its connack": slow_connack,
    "drips a message": slow_message,
}
