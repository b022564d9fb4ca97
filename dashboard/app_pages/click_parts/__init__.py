"""The parts of the page Live clicks.  Only the open one asks DynamoDB for anything."""
