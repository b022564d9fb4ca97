"""Imports and connections, ready before the first visitor comes: together they take seconds.

A server starts without its stores too; its pages then say which store can't answer.
"""

from __future__ import annotations

import asyncio
import logging
import pkgutil
from contextlib import suppress
from importlib import import_module
from threading import Thread

import dashboard
from dashboard import data, ui, verdicts

# What Streamlit imports on first use, and the scripts that it runs itself.
_LIBRARIES = ("altair", "pandas", "pyarrow", "pydeck")
_SCRIPTS = ("dashboard.app", "dashboard.navigation", "dashboard.app_pages")

# The server answers after so long at the latest, connected or not.
PATIENCE_SECONDS = 10.0

log = logging.getLogger(__name__)


def import_modules() -> None:
    """Import the libraries and every module of the dashboard but its scripts."""
    found = pkgutil.walk_packages(dashboard.__path__, "dashboard.")
    modules = [module.name for module in found if not module.name.startswith(_SCRIPTS)]
    for name in (*_LIBRARIES, *modules):
        import_module(name)


async def connect_for_a_while() -> None:
    """Run :func:`connect` beside the server, and wait for it, but no longer than :data:`PATIENCE_SECONDS`."""
    connected = asyncio.Event()
    loop = asyncio.get_running_loop()

    def run() -> None:
        connect()
        with suppress(RuntimeError):  # The server has stopped meanwhile.
            loop.call_soon_threadsafe(connected.set)

    # A daemon: a store that does not answer keeps no server from stopping.
    Thread(target=run, name="warm-up", daemon=True).start()
    with suppress(TimeoutError):
        await asyncio.wait_for(connected.wait(), PATIENCE_SECONDS)


def connect() -> None:
    """Open the connections that all visitors share, and read the clicks that the first two pages show, which are kept.

    A store that can't be reached is logged.
    """
    failures = data.connect()
    for failure in failures:
        log.warning("%s. The pages say so until it answers. %s", failure, failure.check)
    if data.CLICK_STORE not in {failure.store for failure in failures}:
        with suppress(data.StoreUnavailableError):  # The start page says so.
            data.period_sums(*verdicts.compared_periods(data.now()))
            data.clicks(ui.WINDOWS[ui.DEFAULT_WINDOW])
