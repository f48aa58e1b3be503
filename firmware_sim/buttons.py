"""The buttons' way to the program: its control socket (agent/docs/device-interfaces.md)."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

_ANSWER_S = 6.0
_LONGEST = 1_000_000


class ArmButton:
    """Arms the program when it is disarmed, and disarms it when it is armed.

    Args:
        control: the program's socket.
        authorisation: under which it arms.
    """

    def __init__(self, control: Path, authorisation: str = "field-test") -> None:
        self._control = control
        self._authorisation = authorisation

    def press(self) -> dict[str, Any]:
        """The program's answer; `{"ok": False, "error": …}` when it does not answer."""
        status = self.ask({"command": "status"})
        if not status.get("ok"):
            return status
        return self.disarm() if status.get("data", {}).get("armed") else self.arm()

    def arm(self) -> dict[str, Any]:
        return self.ask(
            {"command": "arm", "reason": "button", "authorisation": self._authorisation}
        )

    def disarm(self) -> dict[str, Any]:
        return self.ask({"command": "disarm", "reason": "button"})

    def ask(self, request: dict[str, str]) -> dict[str, Any]:
        """One request, one answer."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
                link.settimeout(_ANSWER_S)
                link.connect(str(self._control))
                link.sendall(json.dumps(request).encode() + b"\n")
                line = link.makefile("rb").readline(_LONGEST)
            answer = json.loads(line)
        except (OSError, ValueError) as error:
            return {"ok": False, "error": f"{self._control}: {error}"}
        return answer if isinstance(answer, dict) else {"ok": False, "error": "no answer"}
