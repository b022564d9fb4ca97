"""DynamoDB's own notation of an item."""

# Attribute name -> {type: value}, such as {"Click_Counts": {"N": "3"}}.
DynamoItem = dict[str, dict[str, str]]
