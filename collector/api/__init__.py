"""The JSON API for programs, under /api/v1: one table of routes (table.py), and what it needs.

`site.setup` before the application starts, `site.routes` into its table. docs/api.md tells how it
is used; docs/openapi.json is made of the same table and models.
"""
