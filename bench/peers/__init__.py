"""The other mail servers of the comparison, one file each: see bench/README.md."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tests"))  # which fetch and start some of the same programs
