"""Makes the reports that people read or sign, such as the check of a site file, the
cause-and-effect matrix, the commissioning checklist and the sheet for the fire service.
"""
