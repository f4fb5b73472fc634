"""Lets ``python -m cellcount`` run the command line."""

from cellcount.cli import main

raise SystemExit(main())
