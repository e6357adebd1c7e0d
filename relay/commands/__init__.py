"""The commands of `letterbell`, one file each; relay/cli.py lists them."""
