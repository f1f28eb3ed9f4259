"""The `corral` command: one file per group of commands. Heavy imports stay inside commands, so that --help is quick."""
