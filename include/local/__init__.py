"""The laptop's stand-ins for AWS and Snowflake: nothing above this package imports them."""
