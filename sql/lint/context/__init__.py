"""The context in which sqlfluff renders our templates: the same as everywhere else (.sqlfluff names this folder)."""

from include.sql import CONTEXT

# sqlfluff can't parse %(name)s.  A driver replaces it by a literal, and so does this.
globals().update(CONTEXT, bind=lambda _name: "1")
