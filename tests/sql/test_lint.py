"""sqlfluff is the second opinion on our SQL: the local warehouse accepts what Snowflake rejects."""

import os
import subprocess
import sys

import pytest

from include import sql

pytestmark = pytest.mark.sql

ROOT = sql.SQL_DIRECTORY.parent


def test_sqlfluff_finds_nothing():
    done = subprocess.run(
        [sys.executable, "-m", "sqlfluff", "lint", "--nocolor", "sql"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
