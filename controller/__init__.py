"""The controller: configuration, the tick, the set-point chain, the record.

Safety itself is in `safety`.
"""
