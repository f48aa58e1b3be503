"""`bodycam-agent models`: build, list, verify and measure the networks."""

from __future__ import annotations

import argparse
import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from agent.app import Context
from agent.cli.common import print_json, say
from agent.errors import DataError, Exit, MissingFileError

_EPILOG = """examples:
  bodycam-agent models build                     fetch the locked assets, build, measure
  bodycam-agent models build --packages /media/usb/wheels    without a network
  bodycam-agent models verify --json
  bodycam-agent models bench                     choose int8 or fp32 for this device
"""


def register(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "models",
        help="build, list, verify and measure the networks",
        description="The two networks: built here from locked assets, pinned by hash, measured "
        "on this device.",
        epilog=_EPILOG,
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    build = actions.add_parser(
        "build", help="fetch the assets and build every model", epilog=_EPILOG
    )
    build.add_argument(
        "--packages", type=Path, metavar="DIR", help="take the packages from here, not the network"
    )
    build.add_argument("--force", action="store_true", help="build again what is there already")
    build.add_argument(
        "--with-footage", action="store_true", help="also fetch the demo's films and pictures"
    )
    build.add_argument(
        "--with-peers", action="store_true", help="also the files that benchmarks compare with"
    )
    build.set_defaults(act=_build)
    for name, act, text in (
        ("list", _list, "every model with its card"),
        ("verify", _verify, "compare the built files with the manifest"),
        ("bench", _bench, "measure both precisions and record the faster"),
    ):
        actions.add_parser(name, help=text, epilog=_EPILOG).set_defaults(act=act)


def run(args: argparse.Namespace, context: Context) -> int:
    code: int = args.act(args, context)
    return code


def _folder(context: Context) -> Path:
    from agent.modelkit.places import models_dir

    return models_dir(context.config.models.dir, context.state_dir)


def _build(args: argparse.Namespace, context: Context) -> int:
    from agent.app.models import manifest, measured
    from agent.modelkit.assets import obtain, read_lock
    from agent.modelkit.places import assets_dir, data_dir

    folder, known = _folder(context), manifest()
    lock = read_lock(data_dir() / "assets.lock.yaml")
    there = not args.force and all(_state(card, folder) == "ok" for card in known.models)
    if not there or args.with_peers:
        _build_files(args, folder, there)
    if args.with_footage:
        obtain(lock, ["footage"], assets_dir(folder), packages=args.packages, say=say)
    if not there or measured(folder) is None:
        _measure(context, folder)
    if context.json:
        print_json({"dir": str(folder), "models": [card.name for card in known.models]})
    else:
        say(f"{len(known.models)} models in {folder}")
    return int(Exit.OK)


def _build_files(args: argparse.Namespace, folder: Path, there: bool) -> None:
    try:
        from agent.modelkit import build as building
    except ImportError:
        raise DataError(
            "building models needs the `models` extra: pip install 'bodycam-agent[models]'"
        ) from None
    from agent.app.models import manifest
    from agent.modelkit.assets import obtain, read_lock
    from agent.modelkit.places import assets_dir, data_dir

    paths = building.BuildPaths(data_dir(), assets_dir(folder), folder)
    lock = read_lock(data_dir() / "assets.lock.yaml")
    if not there:
        building.build(manifest(), lock, paths, packages=args.packages, say=say)
    if args.with_peers:
        obtain(lock, ["model"], paths.assets, packages=args.packages, say=say)
        building.build_peers(paths)


def _state(card: Any, folder: Path) -> str:
    from agent.modelkit.manifest import verified

    try:
        verified(card, folder)
    except MissingFileError:
        return "missing"
    except DataError:
        return "wrong hash"
    return "ok"


def _list(args: argparse.Namespace, context: Context) -> int:
    del args
    from agent.app.models import choice, manifest

    folder = _folder(context)
    chosen = choice(context.config, folder)
    rows = []
    for card in manifest().models:
        row = card.model_dump(mode="json")
        row["state"] = _state(card, folder)
        row["chosen"] = chosen[card.role] == card.precision
        rows.append(row)
    if context.json:
        print_json(rows)
        return int(Exit.OK)
    for row in rows:
        mark = "*" if row["chosen"] else " "
        print(f"{mark} {row['name']:24} {row['role']:9} {row['state']:10} {row['sha256'][:12]}")
        for key, value in row["measured"].items():
            print(f"      {key}: {value}")
    print("* in use on this device")
    return int(Exit.OK)


def _verify(args: argparse.Namespace, context: Context) -> int:
    del args
    from agent.app.models import manifest

    folder = _folder(context)
    states = {card.name: _state(card, folder) for card in manifest().models}
    if context.json:
        print_json({"ok": set(states.values()) == {"ok"}, "models": states})
    else:
        for name, state in states.items():
            print(f"{name:24} {state}")
    if "wrong hash" in states.values():
        raise DataError("a model is not what the manifest pins; run `models build --force`")
    if "missing" in states.values():
        raise MissingFileError(f"not all models are built in {folder}; run `models build`")
    return int(Exit.OK)


def _bench(args: argparse.Namespace, context: Context) -> int:
    del args
    result = _measure(context, _folder(context))
    if context.json:
        print_json(result)
        return int(Exit.OK)
    for role, times in result["milliseconds"].items():
        shown = ", ".join(f"{name} {value:.2f} ms" for name, value in times.items())
        print(f"{role:9} {shown}  ->  {result['precision'][role]}")
    return int(Exit.OK)


def _measure(context: Context, folder: Path) -> dict[str, Any]:
    """Time both precisions of both networks, and record which is faster here."""
    from agent.adapters.onnx_models import SFaceEmbedder, YuNetDetector
    from agent.app.models import CHOICE_FILE, manifest, model_file
    from agent.modelkit.assets import write_whole
    from agent.modelkit.measure import processor, take_turns

    known, config = manifest(), context.config
    threads = config.models.threads
    say("measuring both precisions on this device")
    files = {(card.role, card.precision): model_file(card, folder) for card in known.models}
    frame = np.random.default_rng(0).integers(0, 255, (360, 640, 3), np.uint8)
    crop = frame[None, :112, :112]
    detectors = {
        name: YuNetDetector(files["detector", name], config.detection, threads=threads)
        for name in ("fp32", "int8")
    }
    embedders = {
        name: SFaceEmbedder(files["embedder", name], threads=threads) for name in ("fp32", "int8")
    }
    measured = {
        "detector": take_turns(
            {name: partial(net.detect, frame) for name, net in detectors.items()},
            time.perf_counter,
        ),
        "embedder": take_turns(
            {name: partial(net.embed, crop) for name, net in embedders.items()},
            time.perf_counter,
        ),
    }
    result: dict[str, Any] = {
        "processor": processor(),
        "threads": threads,
        "milliseconds": {
            role: {name: round(s * 1000, 3) for name, s in item.seconds.items()}
            for role, item in measured.items()
        },
        "precision": {role: item.faster for role, item in measured.items()},
    }
    # not a secret: the service may run as another user than the one who built
    write_whole(folder / CHOICE_FILE, (json.dumps(result, indent=2) + "\n").encode())
    return result
