"""The siting audit: a site's plan against the spacing, size and height rules of the fact table's
Table B.
"""
