"""`python -m hil rows`: every stage of the matrix brought about in the rig, its times against its
own chain.
"""
