"""Every statement that Snowflake runs, and the oracle of the MERGE."""
