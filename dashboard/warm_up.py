"""Imports and connections, ready before the first visitor comes: together they take seconds.

A server starts without its stores too; its pages then say which store can't answer.
"""

from __future__ import annotations

import logging
import pkgutil
from importlib import import_module
from threading import Thread

import dashboard
from dashboard import data

# What Streamlit imports on first use, and the scripts that it runs itself.
_LIBRARIES = ("altair", "pandas", "pyarrow", "pydeck")
_SCRIPTS = ("dashboard.app", "dashboard.navigation", "dashboard.app_pages")

log = logging.getLogger(__name__)


def import_modules() -> None:
    """Import the libraries and every module of the dashboard but its scripts."""
    found = pkgutil.walk_packages(dashboard.__path__, "dashboard.")
    modules = [module.name for module in found if not module.name.startswith(_SCRIPTS)]
    for name in (*_LIBRARIES, *modules):
        import_module(name)


def connect_in_background() -> None:
    """Call :func:`connect` while the server already answers."""
    # A daemon: a store that does not answer keeps no server from stopping.
    Thread(target=connect, name="warm-up", daemon=True).start()


def connect() -> None:
    """Open the connections that all visitors share, and log each store that can't be reached."""
    for failure in data.connect():
        log.warning("%s. The pages say so until it answers. %s", failure, failure.check)
