"""What people and scripts see of a running controller: the pages and commands of `firebreak`.
Nothing here decides.
"""
