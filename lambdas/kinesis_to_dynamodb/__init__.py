"""KinesisToDynamoDBProcessor: ClickDataStream -> ClickStreamData."""
