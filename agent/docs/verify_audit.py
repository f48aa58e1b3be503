"""Checks a log of bodycam-agent without bodycam-agent (see audit-format.md); needs `cryptography`.

python verify_audit.py FOLDER [ANCHORS-FILE | PUBLIC-KEY-IN-HEX]    exit codes: 0 whole, 1 not, 2 ?
"""

import hashlib, json, pathlib, re, sys
from base64 import b64decode

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey as Key


def check(log, key="", anchors=()):
    known = {one["data"]["last"]: one["data"]["hash"] for one in anchors}
    first, seq, prev, stretch, covered, signer, gone = None, -1, "0" * 64, 0, -1, "", [(0, -1)]
    for line in log.split(b"\n")[:-1]:  # what follows the last newline was torn by a loss of power
        try:
            one = json.loads(line)
            number, fields = one["seq"], one["fields"]
            body = text({k: one[k] for k in one if k != "hash"})
            if first is None and number and one["kind"] == "checkpoint":  # older files: given up
                seq, prev, stretch = number - 1, one["prev"], fields["first"]
            first = number if first is None else first
            need(number == seq + 1 and one["prev"] == prev, f"record {seq + 1} is not there")
            need(text(one) == line and digest(body) == one["hash"], f"record {number} changed")
            if one["kind"] == "checkpoint":
                data = {"last": seq, "hash": prev, **{k: fields[k] for k in ("first", "key")}}
                event = {"specversion": "1.0", "type": "bodycam.checkpoint.v1", "id": fields["id"]}
                event |= {"source": "/{agency}/{device}".format(**fields), "time": one["time"]}
                event |= {"datacontenttype": "application/json", "data": data}
                event |= {"signer": digest(public := bytes.fromhex(fields["key"]))[:32]}
                Key.from_public_bytes(public).verify(b64decode(fields["signature"]), text(event))
                need(fields["first"] == stretch, f"checkpoint {number} leaves records out")
                stretch, covered, signer, when = number, seq, fields["key"], one["time"]
            gone += [(number, fields["last"])] if one["kind"] == "prune" else []
            seq, prev = number, one["hash"]
            need(known.get(seq, prev) == prev, f"record {seq} is not the one that the hub knows")
        except Exception as error:
            need(False, f"record {seq + 1} is damaged: {error!r}")
    given_up = max(last for number, last in gone if number <= max(covered, 0))
    need(first is not None, "there is no record in it")
    need(first - 1 <= given_up, "the beginning is missing")
    need(not (key and signer) or key == signer, "the newest checkpoint is signed with another key")
    need(max(known, default=-1) <= seq, "the end is missing: the hub knows more of it")
    if not signer:
        return f"whole up to record {seq}; not signed for"
    signed = f"signed for up to record {covered} of {when} with key {signer}"
    return f"whole up to record {seq}; {signed}; {seq - stretch} records after"


text = lambda value: json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
digest = lambda data: hashlib.sha256(data).hexdigest()
need = lambda holds, why: holds or sys.exit(f"NOT WHOLE: {why}")
if __name__ == "__main__":
    try:
        folder, word = pathlib.Path([*sys.argv, "FOLDER"][1]), [*sys.argv, "", ""][2]
        is_key = re.fullmatch("([0-9a-f]{64})?", word)
        told = {"key": word} if is_key else json.loads(pathlib.Path(word).read_bytes())
        files = [*sorted(folder.glob("audit-*.jsonl")), folder / "audit.jsonl"]
        log = b"".join(one.read_bytes() for one in files)
        print(check(log, told["key"], () if is_key else told["anchors"]))
    except (OSError, ValueError, LookupError, TypeError) as error:
        sys.exit(print(f"CANNOT CHECK: {error}\n{__doc__}", file=sys.stderr) or 2)
