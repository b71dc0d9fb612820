"""The siting audit checks a site's plan by the spacing, size and height rules of the fact table's
Table B.
"""
