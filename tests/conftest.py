"""Fixtures that several layers share live in tests/fixtures/, one module a stand-in."""

pytest_plugins = ["tests.fixtures.airflow", "tests.fixtures.ministack", "tests.fixtures.seed", "tests.fixtures.snowflake"]
