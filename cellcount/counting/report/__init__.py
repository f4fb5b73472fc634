"""A page that shows a table of counts to those who did not count: one file that needs no other.

It is made from the table, the boxes kept beside it and the photos, so it is the same after a run
that was stopped and goes on.
"""
