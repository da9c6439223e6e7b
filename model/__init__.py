"""The nouns: envelope, micro-batch, table batch, verdict, disposition, errors.

Frozen values and pure rules.  No I/O, no Beam, no Azure, no database.
"""
