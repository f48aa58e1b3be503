"""`bodycam-hub export`: an alert with its proofs."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from agent.adapters.signing import KeySigner
from agent.cli.common import print_json
from agent.errors import Exit, UsageError
from agent.hub.casebook import Casebook
from agent.hub.context import HubContext
from agent.hub.export import device_facts, export_event, write_export
from agent.hub.station import Station, open_station
from agent.hub.verify_export import Verified, verify_folder

_EXAMPLES: Final = """examples:
  bodycam-hub export 01JD2Q8X4M0000000000000000 --out case-17
  bodycam-hub export CAM-7/01JD2Q8X4M0000000000000000 --out case-17 --json
  bodycam-hub export --verify case-17

A folder with the event as received, the camera's signature and public key, the acknowledgement, the
reviews, and a README on how to check all of it with standard tools. The same event gives the same
bytes. Exit codes: 64 usage, 65 a verified export was changed, 66 no such event or purged.
"""


def register(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "export", help="an alert with its proofs, for a court or a defendant", epilog=_EXAMPLES
    )
    parser.add_argument("event", metavar="EVENT", nargs="?", help="its id, or CAMERA/ID")
    parser.add_argument("--out", metavar="DIR", type=Path, help="a folder that is new or empty")
    parser.add_argument("--verify", metavar="DIR", type=Path, help="check an export; needs no hub")


def run(args: argparse.Namespace, context: HubContext) -> int:
    if args.verify:
        if args.event or args.out:
            raise UsageError("export: --verify takes no event and no --out")
        _say_verified(verify_folder(args.verify), context)
        return int(Exit.OK)
    if not args.event or not args.out:
        raise UsageError("export: EVENT and --out DIR, or --verify DIR")
    with open_station(context) as station:
        _export(args, context, station)
    return int(Exit.OK)


def _export(args: argparse.Namespace, context: HubContext, station: Station) -> None:
    stored = station.store.get(args.event)
    book = Casebook(station.hub.agency, station.store, station.reviewers)
    device = station.hub.database.read(
        "SELECT added_at, removed_at, ack_key FROM device WHERE key_id = ?", stored.device_key
    )
    acked = station.database.read("SELECT public FROM ack WHERE number = ?", stored.ack)
    public = acked[0][0] if acked else station.hub.ack_public
    signer = KeySigner(station.hub.ring.acks_key(public))
    facts = device_facts(stored, station.hub.agency, [row[:2] for row in device])
    files = export_event(book, stored, signer, facts)
    write_export(args.out, files, context.disk, when=stored.received)
    if context.json:
        return print_json({"event": stored.id, "folder": str(args.out), "files": list(files)})
    print(f"{stored.id}: {len(files)} files in {args.out}; see README.txt there")
    return None


def _say_verified(found: Verified, context: HubContext) -> None:
    if context.json:
        return print_json(asdict(found))
    print(f"{found.event}: whole and unchanged, of camera {found.device} of {found.agency}")
    print(f"compare with what the agency published: camera key {found.device_signer}")
    print(f"                                        hub key    {found.hub_signer}")
    for name, decision, key in found.reviews:
        print(f"{decision} by {name}, key {key}")
    return None
