"""The page Pipeline health: ``page.py`` puts it together, each other module shows one part of it."""
