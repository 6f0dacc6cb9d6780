"""The paper at its own scale: its tables and figures as units of work that any machine can run, resume and compare.

`protocol` says what is trained, `units` what one piece of work is, `studies` which pieces a table
or figure takes, `ledger` where their rows are kept, `run` does them one after the other or on a
cluster, `estimate` says beforehand what it costs, and `compare` sets the outcome beside the paper's
numbers. From the command line: ``labsupport reproduce``.
"""
