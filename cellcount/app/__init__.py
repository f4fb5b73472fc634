"""The web page: visitors hand in photos, see cells boxed and counted, and take tables away.

``page/`` is what the browser shows, and it asks :mod:`.server`. A visitor's photos are a
:class:`.visits.Visit`; :mod:`.turns` says whose is counted next, by :mod:`.counted`.
"""
