"""The input `rest_code` says by its code why a cabinet is in standby.

0: the cabinet is not in standby. UNKNOWN: no store says whether it should run. ROW: a person must
start it after a row of the cause-and-effect matrix (matrix.REST_ROWS, or a key latch). RESTART: by
the hazard analysis no restart may energise the cabinet. STORE: the store has failed too often in an
hour. SIGN: an entry into running came while the sign test of a unit was due.
"""

PERSON, TEST, LOCK_OUT, UNKNOWN, ROW, RESTART, STORE, SIGN = range(1, 9)
BY_A_PERSON = (PERSON, LOCK_OUT)  # acts of a person who looks after the cabinet
