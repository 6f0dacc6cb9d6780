"""Results kept on disk, so that chapters share the same minima and a second run of the book is quick.

A result is found again by what it depends on: the arguments' content, the code that runs, the
versions of the libraries and torch's switches (`keys`, `code`, `surroundings`). So an edit never
shows an old result, and an edit to sharpness does not retrain a network. A file of the store is no
program: nothing in it is run, and each is checked by its digest when it is read (`entries`,
`values`). Deleting the store, ``$LABSUPPORT_STORE`` or the user's cache folder, is always safe
(`upkeep`).
"""

from __future__ import annotations

from labsupport.cache.keys import fingerprint
from labsupport.cache.results import folder, remember, warn_not_stored

__all__ = ["fingerprint", "folder", "remember", "warn_not_stored"]
