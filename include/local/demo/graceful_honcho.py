"""honcho with time for what saves its state: ``python -m include.local.demo.graceful_honcho …``.

honcho kills what has not stopped after 5 s.  MiniStack writes all its services' state when it is told to stop, which
after a long demo takes longer; killed then, it would lose what the streams and tables have got.
"""

from __future__ import annotations

from honcho import command, manager

# As honcho numbers the processes of its Procfile.
SAVES_ITS_STATE = frozenset({"ministack.1"})


class GracefulManager(manager.Manager):
    """Kills no process of SAVES_ITS_STATE: how long that may take, who started honcho decides."""

    def kill(self) -> None:
        """Called again and again, from 5 s after the first process has stopped until all have."""
        for name, process in self._processes.items():
            if "returncode" not in process and name not in SAVES_ITS_STATE and not process.get("killed"):
                process["killed"] = True
                self._system_print(f"killing {name}: it has not stopped within {manager.KILL_WAIT} s\n")
                self._procmgr.kill(process["pid"])


if __name__ == "__main__":
    command.Manager = GracefulManager
    command.main()
