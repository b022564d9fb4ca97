"""What sqlfluff renders our templates with: the context everything else uses (.sqlfluff names this folder)."""

from include.sql import CONTEXT

# Its grammar of Snowflake has no %(name)s, which a driver replaces by a literal: so does this.
globals().update(CONTEXT, bind=lambda _name: "1")
