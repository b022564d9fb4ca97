"""The DDL of each released version, frozen: tests upgrade its objects."""
