"""The stores as the pages name them, and the error that says one of them can't answer."""

from include import names

CLICK_STORE = f"DynamoDB table {names.CLICK_TABLE}"
STATE_STORE = f"DynamoDB table {names.TRUCK_STATE_TABLE}"
BUCKET_STORE = "S3 telemetry bucket"
SNOWFLAKE_STORE = "Snowflake"
# Not a store, but pages report a problem with the settings in the same way.
SETTINGS = "Settings"


class StoreUnavailableError(Exception):
    """A store can't answer.

    Attributes:
        store: the store's name on the pages.
        problem: what is wrong, in one line that reads on from the store's name.
        check: what to check or do next.
    """

    def __init__(self, store: str, problem: str, check: str) -> None:
        super().__init__(f"{store} {problem}")
        self.store, self.problem, self.check = store, problem, check
