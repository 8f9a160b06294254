# SPDX-License-Identifier: ISC
"""The pure parts in one process."""
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
    worst = Row("parse", "worst policy parsed, 32 MX hosts judged", "us",
                scaled("worst", 1e3))
    return [
        Row("parse", "policy of 3 patterns, a byte", "ns",
            scaled("small", sizes[0]), fnv, scaled("small-floor", sizes[0])),
        Row("parse", "policy of 3 patterns", "ns", times["small"]),
        Row("parse", "policy of 8000 patterns, a byte", "ns",
            scaled("large", sizes[1]), fnv, scaled("large-floor", sizes[1])),
        Row("parse", "policy of 8000 patterns", "us", scaled("large", 1e3)),
        worst.judge("<= 1000 us", worst.median <= 1000),
        Row("parse", "decision", "ns", times["decide"]),
        Row("parse", "configuration of 1000 sections", "us",
            scaled("conf", 1e3)),
    ]
