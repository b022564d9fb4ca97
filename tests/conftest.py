"""Fixtures that several layers share live in tests/fixtures/."""

pytest_plugins = [
    "tests.fixtures.airflow",
    "tests.fixtures.covered",
    "tests.fixtures.left_behind",
    "tests.fixtures.ministack",
    "tests.fixtures.paid_once",
    "tests.fixtures.deployment",
    "tests.fixtures.seed",
    "tests.fixtures.snowflake",
    "tests.fixtures.workers",
]
