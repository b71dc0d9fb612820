"""The input `rest_code` says by its code why a cabinet is in standby.

0: the cabinet is not in standby.
"""

PERSON = 1  # a person has stopped it
TEST = 2  # TEST mode
LOCK_OUT = 3  # a named person forbids running
UNKNOWN = 4  # no store says whether it should run
# A person must start it after a row of the cause-and-effect matrix (matrix.REST_ROWS, or a key
# latch).
ROW = 5
RESTART = 6  # by the hazard analysis no restart may energise the cabinet
STORE = 7  # the store has failed too often in an hour
SIGN = 8  # an entry into running came while the sign test of a unit was due
BY_A_PERSON = (PERSON, LOCK_OUT)  # acts of a person who looks after the cabinet
