"""The command line: ``cellcount COMMAND``, a file a group of commands.

What a command does lives in the folder of its subject.
"""
