# SPDX-License-Identifier: ISC
"""The pure parts in one process; informs, has no budget."""
import tools
from table import Row


def measure() -> list[Row]:
    times: dict[str, list[float]] = {}
    sizes = [1.0, 1.0]
    for line in tools.call(str(tools.BIN / "rules")).splitlines():
        name, *values = line.split()
        if name == "bytes":
            sizes = [float(v) for v in values]
        else:
            times.setdefault(name, []).append(float(values[0]))

    def scaled(name: str, by: float) -> list[float]:
        return [v / by for v in times[name]]

    fnv = "one FNV-1a pass"
    return [
        Row("parse", "policy of 3 patterns, a byte", "ns",
            scaled("small", sizes[0]), fnv, scaled("small-floor", sizes[0])),
        Row("parse", "policy of 3 patterns", "ns", times["small"]),
        Row("parse", "policy of 8000 patterns, a byte", "ns",
            scaled("large", sizes[1]), fnv, scaled("large-floor", sizes[1])),
        Row("parse", "policy of 8000 patterns", "us", scaled("large", 1e3)),
        Row("parse", "decision", "ns", times["decide"]),
        Row("parse", "configuration of 1000 sections", "us",
            scaled("conf", 1e3)),
    ]
