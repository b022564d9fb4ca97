"""honcho for processes that save their state: ``python -m include.local.demo.graceful_honcho …``.

honcho kills every process that has not stopped after 5 s.  MiniStack writes the state of all its services when it is
asked to stop.  After a long demo this takes longer; killed then, it would lose the records of streams and tables.
"""

from __future__ import annotations

from honcho import command, manager
from honcho.printer import Printer

# As honcho numbers the processes of its Procfile.
SAVES_ITS_STATE = frozenset({"ministack.1"})


class GracefulManager(manager.Manager):  # type: ignore[misc]  # honcho has no types
    """Kills no process of SAVES_ITS_STATE, and can be stopped while it is still starting processes.

    How long saving may take is decided by whoever started honcho.
    """

    def __init__(self, printer: Printer | None = None) -> None:
        super().__init__(printer)
        self._is_stopping = False

    def terminate(self) -> None:
        """Ask every process to stop.  If some have not started yet, honcho's loop calls this again when all have."""
        self._is_stopping = True
        if self._all_started():
            super().terminate()

    def kill(self) -> None:
        """Kill what has not stopped.  honcho's loop calls this repeatedly, from 5 s after the stop began."""
        for name, process in self._processes.items():
            if "returncode" not in process and name not in SAVES_ITS_STATE and not process.get("killed"):
                process["killed"] = True
                self._system_print(f"killing {name}: it has not stopped within {manager.KILL_WAIT} s\n")
                self._procmgr.kill(process["pid"])

    def _any_stopped(self) -> bool:
        # honcho's loop begins to stop all processes when one has stopped; here also when it was asked to.
        return self._is_stopping or bool(super()._any_stopped())


if __name__ == "__main__":
    command.Manager = GracefulManager
    command.main()
