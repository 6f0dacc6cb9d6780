"""What every notebook of the course begins with: its metadata, and the package where it is missing. A leaf."""

from __future__ import annotations

#: No accelerator: the networks are tiny, and Colab's CPU is what a reader should get.
METADATA = {
    "colab": {"provenance": []},
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python", "pygments_lexer": "ipython3"},
}
_INSTALL = """\
# @title Setup: run this cell first
PACKAGE = ""
try:
    import labsupport
except ImportError:  # on Colab, for example: add the course's package, change nothing else
    import subprocess
    import sys
    from pathlib import Path

    class NotInstalled(ImportError):
        def _render_traceback_(self):  # one sentence instead of a traceback
            return [str(self)]

    beside = sorted(map(str, Path().glob("labsupport-*.whl")))
    package = beside[-1] if beside else PACKAGE
    again = "and run this cell again."
    if not package:
        raise NotInstalled(f"labsupport is not installed: put its wheel beside this notebook {again}")
    pip = [sys.executable, "-m", "pip", "install", "-q", package]
    if subprocess.run(pip, capture_output=True).returncode:
        raise NotInstalled(f"labsupport could not be installed from {package}: look at your connection {again}")
"""


def install(package: str = "") -> str:
    """The code that comes before the imports: ``package``, what pip is given, goes in where the package is missing;
    nothing else is changed.
    """
    return _INSTALL.replace('PACKAGE = ""', f'PACKAGE = "{package}"')
