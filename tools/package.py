"""Zips a bootstrap reproducibly, so that equal input gives equal output: package.py bootstrap → bootstrap.zip beside it

The zip has a fixed date, no owner, the file mode that Lambda needs, and the strongest compression.
"""

import sys
import zipfile
from pathlib import Path

bootstrap = Path(sys.argv[1])
entry = zipfile.ZipInfo("bootstrap", (1980, 1, 1, 0, 0, 0))
entry.create_system = 3  # Unix
entry.external_attr = 0o100755 << 16
package = bootstrap.with_suffix(".zip")
with zipfile.ZipFile(package, "w") as archive:
    archive.writestr(entry, bootstrap.read_bytes(), zipfile.ZIP_DEFLATED, 9)
print(f"{package}: {package.stat().st_size:,} bytes")
