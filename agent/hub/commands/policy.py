"""`bodycam-hub policy`: what the agency allows its cameras."""

from __future__ import annotations

import argparse
import difflib
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from agent.cli.common import print_json, say
from agent.errors import Exit, MissingFileError, UsageError
from agent.hub import policies
from agent.hub.acts import recorded
from agent.hub.context import HubContext
from agent.hub.files import Disk, require_new
from agent.hub.hub import Hub, open_hub
from agent.hub.keyfiles import KeyFiles
from agent.hub.passphrases import Passphrases
from agent.hub.places import place_lines
from agent.hub.policies import Draft
from agent.hub.served import say_behind
from agent.messages import iso_utc
from agent.policy import Policy
from agent.policy.documents import read_policy

_DAYS: Final = 90.0
_EXAMPLES = """examples:
  bodycam-hub policy preset                                   # which there are
  bodycam-hub policy preset strict --out policy.yaml          # then edit it
  bodycam-hub policy check policy.yaml
  bodycam-hub policy publish policy.yaml --offline-dir /media/usb1 --offline-dir /media/usb2
  bodycam-hub policy show

two people, two machines:
  bodycam-hub policy sign policy.yaml --out policy.draft --offline-dir /media/usb1
  bodycam-hub policy sign policy.draft --key /media/usb2/policy-3fa2c1d09b7e.pem   # needs no hub
  bodycam-hub policy publish policy.draft

What is signed is the text itself; its sha256 is in every alert. It must carry a higher version than
the one before. Lists that are published from then on are held to it. Exit codes: 65 no policy, 66
a key is not within reach, 77 not the next version, over, another agency's, or too few have signed.
"""


def register(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "policy", help="what the agency allows its cameras", epilog=_EXAMPLES
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    preset = actions.add_parser("preset", help="a policy to start from", epilog=_EXAMPLES)
    preset.add_argument("name", metavar="NAME", nargs="?", help="(default: name them all)")
    preset.add_argument("--agency", metavar="SLUG", help="(default: of the hub)")
    preset.add_argument(
        "--days", metavar="N", type=float, default=_DAYS, help=f"good for (default: {_DAYS:g})"
    )
    preset.add_argument("--out", metavar="FILE", type=Path, help="a new file (default: show it)")
    check = actions.add_parser("check", help="whether a text is a policy", epilog=_EXAMPLES)
    check.add_argument("file", metavar="FILE", type=Path)
    sign = actions.add_parser("sign", help="sign a policy or a draft", epilog=_EXAMPLES)
    sign.add_argument("file", metavar="FILE", type=Path, help="a policy, or a draft to go on with")
    sign.add_argument("--out", metavar="FILE", type=Path, help="(default: into the draft itself)")
    sign.add_argument(
        "--key",
        metavar="FILE",
        type=Path,
        action="append",
        default=[],
        help="sign a draft with this key file; no hub is needed (default: with the hub's keys)",
    )
    publish = actions.add_parser("publish", help="put it where cameras see it", epilog=_EXAMPLES)
    publish.add_argument("file", metavar="FILE", type=Path, help="a policy, or a signed draft")
    actions.add_parser("show", help="the policy that is published", epilog=_EXAMPLES)


def run(args: argparse.Namespace, context: HubContext) -> int:
    actions = {"preset": _preset, "check": _check, "sign": _sign, "publish": _publish}
    (actions | {"show": _show})[args.action](args, context)
    return int(Exit.OK)


def _preset(args: argparse.Namespace, context: HubContext) -> None:
    if args.name is None:
        names = policies.preset_names()
        return print_json(list(names)) if context.json else print("\n".join(names))
    if not 0 < args.days <= 3660:  # noqa: PLR2004
        raise UsageError("policy preset: --days must be more than 0 and at most 3660")
    if args.out is not None:
        require_new(args.out)
    agency, version = _next(args, context)
    text = policies.preset(
        args.name, agency=agency, version=version, days=args.days, now=context.clock.wall()
    )
    if args.out is None:
        print(text.decode(), end="")
        return None
    Disk().write(args.out, text, when=context.clock.wall())
    say(f"wrote {args.out}: version {version} of {agency}; read and edit it, then sign")
    return None


def _next(args: argparse.Namespace, context: HubContext) -> tuple[str, int]:
    """Whose policy it will be, and its version."""
    try:
        with closing(open_hub(context)) as hub:
            before = policies.published(hub)
            return args.agency or hub.agency, 1 if before is None else before[0].version + 1
    except MissingFileError:
        if args.agency is None:
            raise
        return args.agency, 1


def _check(args: argparse.Namespace, context: HubContext) -> None:
    draft = policies.read_draft(args.file) if policies.is_draft(args.file) else None
    policy = draft.policy if draft else read_policy(policies.read_text(args.file))
    _tell(policy, context, draft=draft)
    for line in place_lines(policy.areas):
        say(line)
    now = context.clock.wall()
    try:
        hub = open_hub(context)
    except MissingFileError:
        say("no hub here: not compared with what is published")
        return policies.check_not_over(policy, now=now)
    with closing(hub):
        before = policies.published(hub)
        if before is None or before[0].digest != policy.digest:
            return policies.check_publishable(hub, policy, now=now)
        say("this is the policy that is published")
        return policies.check_not_over(policy, now=now)


def _sign(args: argparse.Namespace, context: HubContext) -> None:
    draft = policies.read_draft(args.file) if policies.is_draft(args.file) else None
    out = args.out or (args.file if draft else None)
    if out is None:
        raise UsageError("policy sign: give --out FILE for the draft")
    if not (draft and out == args.file):
        require_new(out)
    if args.key:
        if draft is None:
            raise UsageError("policy sign: --key signs a draft; make it at the hub first")
        passphrases = Passphrases(context.passphrase_files, ask=context.ask)
        files = KeyFiles(passphrases, context.cost, context.disk)
        draft = policies.sign_elsewhere(draft, args.key, files)
    else:
        draft = _signed_at_hub(args, context, draft)
    policies.write_draft(out, draft, when=context.clock.wall())
    say(f"wrote {out}")
    _tell(draft.policy, context, draft=draft)


def _signed_at_hub(args: argparse.Namespace, context: HubContext, draft: Draft | None) -> Draft:
    now = context.clock.wall()
    with closing(open_hub(context)) as hub:
        made = draft or policies.make_draft(hub, policies.read_text(args.file), now=now)
        return _by_one_person(hub, policies.sign_at_hub(hub, made))


def _by_one_person(hub: Hub, draft: Draft) -> Draft:
    """The draft itself; two keys on one stick are noted."""
    paths = [path for one in draft.signed_by if (path := hub.ring.locate(policies.ROLE, one))]
    if len(paths) > len({path.parent for path in paths}):
        say(
            f"note: {paths[0].parent} holds {len(paths)} keys that sign policies, so one person "
            f"can do it alone; move {paths[-1].name} to the stick of a second one"
        )
    return draft


def _publish(args: argparse.Namespace, context: HubContext) -> None:
    now = context.clock.wall()
    with closing(open_hub(context)) as hub:
        if policies.is_draft(args.file):
            draft = policies.read_draft(args.file)
        else:
            draft = policies.make_draft(hub, policies.read_text(args.file), now=now)
            draft = _by_one_person(hub, policies.sign_at_hub(hub, draft))
        before = policies.published(hub)
        with recorded(context, "policy", draft.policy.name) as act:
            policies.publish(hub, draft, now=now)
            act.facts |= {"version": draft.policy.version, "sha256": draft.policy.sha256()}
        if before is not None and not context.json:
            _show_difference(before[1], draft.text)
        _tell(draft.policy, context, draft=draft)
        say_behind(hub, context)


def _show(args: argparse.Namespace, context: HubContext) -> None:
    del args
    with closing(open_hub(context)) as hub:
        found = policies.draft_published(hub)
    if found is None:
        raise MissingFileError(
            "no policy is published: cameras hold field tests only, with test in every event; "
            "see `bodycam-hub policy --help`"
        )
    if context.json:
        return _tell(found.policy, context, draft=found)
    print(found.text.decode(), end="")
    say(f"sha256 {found.policy.digest}")
    return None


def _show_difference(before: bytes, after: bytes) -> None:
    lines = difflib.unified_diff(
        before.decode().splitlines(), after.decode().splitlines(), "before", "now", lineterm="", n=0
    )
    for line in lines:
        say(line)


def _tell(policy: Policy, context: HubContext, *, draft: Draft | None = None) -> None:
    end = None if policy.not_after is None else iso_utc(policy.not_after)
    signed = [] if draft is None else list(draft.signed_by)
    if context.json:
        return print_json(
            {
                "name": policy.name,
                "agency": policy.agency,
                "version": policy.version,
                "not_after": end,
                "test": policy.test,
                "sha256": policy.digest,
                "signed_by": signed,
            }
        )
    print(f"policy {policy.name} version {policy.version} of {policy.agency}, until {end}")
    print(f"sha256 {policy.digest}")
    if draft is not None:
        missing = draft.needed - len(signed)
        rest = f"; {missing} more must sign" if missing > 0 else ""
        print(f"signed by {', '.join(one[:12] for one in signed) or 'nobody yet'}{rest}")
    return None
