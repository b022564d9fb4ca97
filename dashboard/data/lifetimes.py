"""For how many seconds an answer serves every visitor before its store is asked again: about as long as it stays true.

A store is asked only while a page is open that shows its answer, and never more often than this, however many browsers
are open and whatever refresh they choose.
"""

# Clicks of the last minute and the newest reading of each truck change with every record.
LIVE = 1
# How far DynamoDB and the bucket have got.  The pages show an age, which goes on while the answer is kept.
PROGRESS = 15
# The history changes with each merge, and the catalogue of items with the first click of a new one.
HISTORY = 30
# Rules, files, quarantined records, the ledger's hours and people's decisions.
CHECKS = 60
# What changes in hours: since when a truck needs attention, and what gets worse.
SLOW = 300
# The past: only a record that arrives late changes it.
PAST = 3600
