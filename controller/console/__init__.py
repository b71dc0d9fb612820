"""The commands of `firebreak` and the pages that they print. They show facts and send requests to
the controller. They decide nothing about the battery.
"""
