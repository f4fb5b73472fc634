"""Set-up: which packages are wanted, and what icevision_install.sh asks while it installs them.

Stands on the standard library, so that it works before anything is installed.
"""
