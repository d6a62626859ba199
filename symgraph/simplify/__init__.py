"""The rule tables, a file per subject, and what they are judged by (cost.py); `rules.RULES` is all of them."""
