"""The parameters that a deployment adds to samconfig.toml, for `make deploy`: release.py [keys.json] > release.yaml

The release is named after all that goes into it, because changed parameters take effect only under another name: the
package and the template as built, the configuration, and the keys, where there are new ones.
"""

import hashlib
import json
import sys
from pathlib import Path

root = Path(__file__).parent.parent
built = sorted(path for path in (root / ".aws-sam/build").rglob("*") if path.is_file())
digest = hashlib.sha256()
for path in [*built, root / "samconfig.toml"]:
    digest.update(path.read_bytes())
parameters = {}
if sys.argv[1:]:
    keys = json.loads(Path(sys.argv[1]).read_text())
    if keys == json.loads((root / "examples/jwks.json").read_text()):
        sys.exit(f"{sys.argv[1]}: expected keys of your own, found the development key, which is public")
    keys = json.dumps(keys, separators=(",", ":"))
    digest.update(keys.encode())
    parameters["Jwks"] = keys
parameters["Release"] = digest.hexdigest()[:12]
# JSON is YAML, which the SAM CLI reads.
print(json.dumps(parameters))
