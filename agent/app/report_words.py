"""Words for the public, in place of those of the program."""

from __future__ import annotations

from collections.abc import Mapping
from math import floor, log10
from typing import Final

MEASURED: Final[Mapping[str, str]] = {
    "data": "Measured on",
    "ap": "Average precision of finding faces (1 is perfect)",
    "small": "Small faces",
    "accuracy": "Pairs of photographs told right: same person, or not",
    "tar": "Pairs of one person that it recognises, at a false match rate (FMR)",
    "fidelity": "Likeness to the network that it was made smaller from (1 is the same)",
}
REFUSED: Final[Mapping[str, str]] = {
    "arm": "to be armed",
    "go-on": "to stay armed: the rules no longer permitted it",
    "list": "a list that the rules do not permit, or that was withdrawn",
    "sync": "a list or rules that could not be verified",
    "identify": "a search of photographs by hand",
    "unlock": "a wrong passphrase",
    "command": "a message that was no command of the agency",
    "ack": "a message that was no receipt of the agency",
    "test-alert": "a test alert",
}
ENDED: Final[Mapping[str, str]] = {
    "operator": "by the person who wears it",
    "command": "by a command of the agency",
    "armed-anew": "armed anew",
    "source-ended": "the camera's pictures ended",
    "signal": "switched off",
    "rules": "by itself: the rules could not be read",
    "policy-over": "by itself: the policy is over",
    "policy-changed": "by itself: another policy came",
    "authorisation-over": "by itself: the authorisation is over",
    "revoked": "by itself: the authorisation was revoked",
    "time": "by itself: the time was in doubt",
    "schedule": "by itself: outside the hours that the policy allows",
    "area": "by itself: outside the area",
    "list": "by itself: no list that the rules permit",
    "fpir": "by itself: too many false alerts",
    "storage": "by itself: the disk was full",
    "power": "by itself: too little power, or too hot",
    "failure": "by itself: a failure",
}
CHANGED: Final[Mapping[str, str]] = {
    "list": "a list came into service",
    "sync": "a newer list was taken from the agency",
    "enrol": "people were enrolled on the camera itself",
    "import": "a list was put on the camera by hand",
    "remove": "entries were removed on the camera itself",
    "expire": "entries or a list ended",
    "config": "the configuration was changed",
    "policy": "a policy came into force",
    "time": "the clock was set",
}
GLOSSARY: Final = (
    (
        "Template",
        "the numbers that a network makes of a photograph of a face; faces are compared by them",
    ),
    (
        "Similarity",
        "how alike two templates are, from -1 to 1; an alert needs one over a threshold",
    ),
    ("False match rate", "the share of comparisons of different people that are as similar"),
    (
        "Policy",
        "what the agency allows its cameras, signed; a camera obeys it and cannot change it",
    ),
    (
        "Authorisation",
        "the decision that permits a use: which lists, which cameras, where and until when",
    ),
    ("Armed", "faces are compared; a camera that is not armed drops every picture unseen"),
    ("sha256", "a fingerprint of a file: whoever has the file can check that it is this one"),
)


def said(words: Mapping[str, str], key: str) -> str:
    """The words for a key; the key itself where there are none yet."""
    return words.get(key, key)


def number(count: int) -> str:
    """`12,345`."""
    return f"{count:,}"


def hours(value: float, uses: int) -> str:
    """To the nearest tenth; what is less than that is said to be less."""
    return "less than 0.1" if uses and not value else f"{value:,g}"


def two_figures(value: float) -> float:
    """Rounded: more would be more than a count that is rounded to tens can tell."""
    return round(value, 1 - floor(log10(abs(value)))) if value else 0.0
