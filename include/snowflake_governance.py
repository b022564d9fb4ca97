"""What a Snowflake shop expects around the pipeline's objects, as the settings say (docs/snowflake-governance.md).

``provision_resources`` runs the scripts that the objects' owner may run.  ``python -m include.snowflake_governance``
prints the statements that only an administrator may run, and with ``--undo`` those that take everything back.
"""

from __future__ import annotations

import argparse

from include import sql
from include.settings import Settings, settings

ADMINISTRATOR = "governance/administrator.sql"
UNDO = "governance/administrator_undo.sql"


def scripts(chosen: Settings) -> list[str]:
    """The files below ``sql/`` that the deployer runs, in order."""
    wanted = {
        "governance/mask_positions.sql": chosen.snowflake_mask_positions,
        "governance/consumer_view.sql": chosen.snowflake_consumer_view,
        "governance/error_integration.sql": bool(chosen.snowflake_error_integration),
    }
    return [path for path, is_wanted in wanted.items() if is_wanted]


def parameters(chosen: Settings) -> dict[str, str]:
    """The ``params`` of all files in ``sql/governance``."""
    quota = chosen.snowflake_credit_quota
    return {
        "masked": _flag(chosen.snowflake_mask_positions),
        "position_roles": chosen.snowflake_position_roles,
        "consumer_view": _flag(chosen.snowflake_consumer_view),
        "error_integration": chosen.snowflake_error_integration,
        "credit_quota": "" if quota is None else str(quota),
        "allowed_ips": chosen.snowflake_allowed_ips,
        "key_pair_only": _flag(chosen.snowflake_key_pair_only),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m include.snowflake_governance",
        description="Print the statements that a Snowflake administrator runs for the pipeline, as the settings say.",
    )
    parser.add_argument("--undo", action="store_true", help="print the statements that take everything back")
    path = UNDO if parser.parse_args().undo else ADMINISTRATOR
    print(sql.render(path, **parameters(settings())))


def _flag(value: bool) -> str:
    return str(value).lower()


if __name__ == "__main__":
    main()
