"""How the environment enters a name, so that one account holds any number of environments.

The setting ``CTD_ENVIRONMENT``, such as ``staging``, goes in front of every name that the accounts and Airflow know:
``staging-ClickDataStream``, ``STAGING_ECOMMERCE_DATA``, ``staging_scd2_merge``.  Without it the names are as
include/names.py writes them.  The CloudFormation template has a parameter for the same text, and the SQL files a
variable (docs/adr/0015).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

VARIABLE = "CTD_ENVIRONMENT"
#: What the rules of every name permit.  Buckets have no underscore and no capital, Snowflake's names no hyphen and a
#: letter in front.  A bucket's name must not begin with "sthree-".
PATTERN = r"(?!sthree$)[a-z][a-z0-9]{0,15}"


class EnvironmentNameError(ValueError):
    """The environment can't be part of a name; the message names the setting and the rule."""


def read_environment(environ: Mapping[str, str]) -> str:
    """The environment's name in ``environ``, or "".

    Raises:
        EnvironmentNameError: some name could not contain it.
    """
    name = environ.get(VARIABLE, "")
    if name and not re.fullmatch(PATTERN, name):
        raise EnvironmentNameError(
            f"{VARIABLE}={name!r} can't be part of every name: it has 1 to 16 lower-case letters and digits, the first "
            "a letter, and is not sthree, with which no bucket's name may begin"
        )
    return name


#: The environment of this process.
ENVIRONMENT = read_environment(os.environ)


def aws(name: str, environment: str = ENVIRONMENT) -> str:
    """A name on AWS: ``staging-ClickDataStream``."""
    return f"{environment}-{name}" if environment else name


def snowflake(name: str, environment: str = ENVIRONMENT) -> str:
    """A name in a Snowflake account: ``STAGING_ECOMMERCE_DATA``."""
    return f"{environment.upper()}_{name}" if environment else name


def airflow(name: str, environment: str = ENVIRONMENT) -> str:
    """A name in Airflow: ``staging_scd2_merge``."""
    return f"{environment}_{name}" if environment else name
