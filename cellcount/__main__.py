"""Lets ``python -m cellcount`` run the command line."""

from cellcount.commands.main import main

raise SystemExit(main())
