"""The stores as the pages name them, and the error that says one of them can't answer."""

from include import names

CLICK_STORE = f"DynamoDB table {names.CLICK_TABLE}"
STATE_STORE = f"DynamoDB table {names.TRUCK_STATE_TABLE}"
BUCKET_STORE = "S3 telemetry bucket"
SNOWFLAKE_STORE = "Snowflake"
# Not stores of records, but they are asked, and fail, in the same way.
METRIC_STORE = "CloudWatch"
FUNCTION_STORE = "Lambda"
# Not a store either, but pages report a problem with the settings in the same way.
SETTINGS = "Settings"


class StoreUnavailableError(Exception):
    """A store can't answer.

    Attributes:
        store: the store's name on the pages.
        problem: what is wrong, in one line that reads on from the store's name.
        check: what to check or do next.
        said: the error in the words of the store or of its client, which may quote data; empty if it adds nothing.
    """

    def __init__(self, store: str, problem: str, check: str, said: str = "") -> None:
        super().__init__(f"{store} {problem}" + (f": {said}" if said else ""))
        self.store, self.problem, self.check, self.said = store, problem, check, said
