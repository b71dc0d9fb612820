"""Makes the reports that people read or sign: the check of a site file, the cause-and-effect
matrix, the commissioning checklist, the sheet for the fire service, and the handbook of reason
codes.
"""
