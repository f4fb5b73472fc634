"""Runs labelImg 1.8.6, mended: ``python -m cellcount.labelling.labelimg FOLDER CLASS ...``.

labelImg is archived: nobody else will mend it. Each file here mends one side of it, each function
one trap, as the bridge does for other libraries: in memory, while Python loads labelImg.
"""
