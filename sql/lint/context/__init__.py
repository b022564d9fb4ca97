"""What sqlfluff renders our templates with: the context everything else uses (.sqlfluff names this folder)."""

from include.sql import CONTEXT

globals().update(CONTEXT)
