"""Makes tasks start sooner on a laptop: scheduler and DAG processor import the operators once, before they fork.

Airflow imports a module of this name from its path.  A task spends most of its time importing the operators' providers
and the Snowflake connector.  Imported here, an 8-task run took 7 to 8 s instead of 28 to 31 s.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pkgutil import iter_modules

if {"scheduler", "dag-processor"} & set(sys.argv):
    import clicks_to_deliveries.defaults
    import clicks_to_deliveries.operators

    for module in iter_modules(clicks_to_deliveries.operators.__path__, "clicks_to_deliveries.operators."):
        import_module(module.name)
