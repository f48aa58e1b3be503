"""Checks a log of bodycam-agent without bodycam-agent (see audit-format.md); needs `cryptography`.

python verify_audit.py FOLDER [ANCHORS-FILE | PUBLIC-KEY-IN-HEX]
"""

import hashlib, json, pathlib, sys
from base64 import b64decode

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey as Key


def check(log, key="", anchors=()):
    known = {one["data"]["last"]: one["data"]["hash"] for one in anchors}
    first, seq, prev, stretch, covered, signer, gone = None, -1, "0" * 64, 0, -1, "", [(0, -1)]
    for line in log.split(b"\n")[:-1]:  # what follows the last newline was torn by a loss of power
        one = json.loads(line)
        number, fields, body = one["seq"], one["fields"], {k: one[k] for k in one if k != "hash"}
        if first is None and number and one["kind"] == "checkpoint":  # older files were given up
            seq, prev, stretch = number - 1, one["prev"], fields["first"]
        first = number if first is None else first
        need(number == seq + 1 and one["prev"] == prev, f"record {seq + 1} is not there")
        need(text(one) == line and digest(text(body)) == one["hash"], f"record {number} changed")
        if one["kind"] == "checkpoint":
            data = {"last": seq, "hash": prev, **{k: fields[k] for k in ("first", "key")}}
            event = {"specversion": "1.0", "type": "bodycam.checkpoint.v1", "id": fields["id"]}
            event |= {"source": "/{agency}/{device}".format(**fields), "time": one["time"]}
            event |= {"datacontenttype": "application/json", "data": data}
            event |= {"signer": digest(public := bytes.fromhex(fields["key"]))[:32]}
            Key.from_public_bytes(public).verify(b64decode(fields["signature"]), text(event))
            need(fields["first"] == stretch, f"checkpoint {number} leaves records out")
            stretch, covered, signer = number, seq, fields["key"]
        gone += [(number, fields["last"])] if one["kind"] == "prune" else []
        seq, prev = number, one["hash"]
        need(known.get(seq, prev) == prev, f"record {seq} is not the one that the hub knows")
    last = max(last for number, last in gone if number <= max(covered, 0))
    need((first or 0) - 1 <= last, "the beginning is missing")
    need(not (key and signer) or key == signer, "the newest checkpoint is signed with another key")
    need(max(known, default=-1) <= seq, "the end is missing: the hub knows more of it")
    return f"whole up to record {seq}, signed for up to record {covered} with key {signer}"


text = lambda value: json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
digest = lambda data: hashlib.sha256(data).hexdigest()
need = lambda holds, why: holds or sys.exit(f"NOT WHOLE: {why}")
if __name__ == "__main__":
    folder, word = pathlib.Path(sys.argv[1]), [*sys.argv, ""][2]
    told = json.loads(pathlib.Path(word).read_bytes()) if "." in word else {"key": word}
    files = [*sorted(folder.glob("audit-*.jsonl")), folder / "audit.jsonl"]
    print(check(b"".join(one.read_bytes() for one in files), told["key"], told.get("anchors", ())))
