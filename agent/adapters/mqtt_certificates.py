"""Watches how long the certificates of the connection are still good."""

from __future__ import annotations

import math
from typing import Final

from agent.adapters.mqtt_rules import TlsSettings
from agent.adapters.mqtt_tls import Dialled, certificate_end, open_context, stamp_of
from agent.adapters.mqtt_trouble import TroubleError
from agent.ports import Clock
from agent.ports.log import Log
from agent.values import Monotonic, Wall

_DAY_S: Final = 86_400.0
RENEWED: Final = "connecting again with the renewed client certificate"


class CertificateWatch:
    """Warns weeks before an end, and asks for a new connection when a renewed certificate waits
    on disk while the one in use is about to end.

    `check` is for the connection's thread; the properties are for any.

    Args:
        tls: see `TlsSettings`; None: there is nothing to watch.
        clock: wall time against the ends, monotonic between two looks.
        log: gets a line a day for each certificate that ends soon.
    """

    def __init__(self, tls: TlsSettings | None, clock: Clock, log: Log | None) -> None:
        self._tls = tls
        self._clock = clock
        self._log = log
        self._dialled: Dialled | None = None
        self._next_look = clock.monotonic()
        self._warned: dict[str, Wall] = {}

    @property
    def own_days(self) -> int | None:
        """Whole days until our certificate ends, negative afterwards; None without one."""
        return self._days(self._dialled.own_end if self._dialled else self._on_disk())

    @property
    def broker_days(self) -> int | None:
        """The same for the broker's, at the last connection; None before the first, or in clear."""
        return self._days(self._dialled.broker_end if self._dialled else None)

    def connected(self, dialled: Dialled) -> None:
        """A connection began."""
        self._dialled = dialled

    def check(self) -> str:
        """Why the connection should be made anew; empty: it should not. Cheap."""
        now = self._clock.monotonic()
        if self._tls is None or self._dialled is None or now < self._next_look:
            return ""
        self._next_look = Monotonic(now + self._tls.watch_s)
        self._warn("our certificate for the broker (mqtt.tls.cert_file)", self.own_days)
        self._warn("the broker's certificate", self.broker_days)
        return RENEWED if self._renewed(self._tls, self._dialled) else ""

    def _renewed(self, tls: TlsSettings, dialled: Dialled) -> bool:
        days = self._days(dialled.own_end)
        if days is None or days >= tls.warn_days or stamp_of(tls) == dialled.stamp:
            return False
        try:  # both halves must be there, and fit
            open_context(tls)
            return dialled.own_end is not None and certificate_end(tls) > dialled.own_end
        except TroubleError:
            return False

    def _warn(self, which: str, days: int | None) -> None:
        now = self._clock.wall()
        if self._tls is None or days is None or days >= self._tls.warn_days or self._log is None:
            return
        if now - self._warned.get(which, Wall(0.0)) >= _DAY_S:
            self._warned[which] = now
            when = f"ends in {days} days" if days >= 0 else "has ended"
            self._log.warning(f"{which} {when}: renew it")

    def _on_disk(self) -> Wall | None:
        if self._tls is None or not self._tls.cert_file:
            return None
        try:
            return certificate_end(self._tls)
        except TroubleError:
            return None

    def _days(self, end: Wall | None) -> int | None:
        return None if end is None else math.floor((end - self._clock.wall()) / _DAY_S)
