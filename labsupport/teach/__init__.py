"""For instructors: assignments released, submissions graded, a concept inventory scored.

The commands are ``labsupport release``, ``labsupport grade`` and ``labsupport inventory``. They need the extra
``teach``; a student's notebook needs only `visible`, which `labsupport.check` passes on.
"""
