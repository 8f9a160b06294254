# SPDX-License-Identifier: ISC
"""What was measured, beside what it is held against, as lines of a table."""
import statistics
from dataclasses import asdict, dataclass, field


@dataclass
class Row:
    """One line.  Without a budget it only informs."""
    part: str
    what: str
    unit: str
    measured: list[float]
    peer_name: str = ""
    peer: list[float] = field(default_factory=list)
    budget: str = ""
    ok: bool | None = None
    note: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.measured)

    @property
    def peer_median(self) -> float:
        return statistics.median(self.peer)

    @property
    def ratio(self) -> float:
        return self.median / self.peer_median if self.peer else 0.0

    def judge(self, budget: str, ok: bool) -> "Row":
        self.budget, self.ok = budget, ok
        return self


def differences(a: list[float], b: list[float]) -> list[float]:
    """Round by round: what disturbs one round disturbs both of its halves."""
    return [x - y for x, y in zip(a, b)]


def interval(values: list[float]) -> tuple[float, float]:
    """Where the median is, of 20 times 19: from the order alone, whatever
    the distribution (sign test)."""
    n = len(values)
    k = max(0, int(n / 2 - 0.98 * n ** 0.5))
    s = sorted(values)
    return s[k], s[n - 1 - k]


def number(x: float) -> str:
    if abs(x) >= 100:
        return f"{x:.0f}"
    return f"{x:.1f}" if abs(x) >= 10 else f"{x:.2f}"


def spread(values: list[float], unit: str) -> str:
    mid = f"{number(statistics.median(values))} {unit}"
    if len(values) < 2:
        return mid
    return f"{mid} ({number(min(values))}..{number(max(values))})"


HEAD = ("what", "measured median (min..max)", "peer or floor, same run",
        "ratio", "budget", "")


def show(rows: list[Row]) -> str:
    lines = [HEAD]
    for r in rows:
        lines.append((
            f"{r.part}: {r.what}", spread(r.measured, r.unit),
            f"{spread(r.peer, r.unit)} {r.peer_name}" if r.peer else "",
            f"{r.ratio:.2f}" if r.peer else "", r.budget,
            "" if r.ok is None else "ok" if r.ok else "OVER"))
    widths = [max(len(x[i]) for x in lines) for i in range(len(HEAD))]
    out = ["  ".join(c.ljust(w) for c, w in zip(x, widths)).rstrip()
           for x in lines]
    out.insert(1, "  ".join("-" * w for w in widths))
    return "\n".join(out + [f"{r.part}: {r.what}: {r.note}"
                            for r in rows if r.note])


def dump(rows: list[Row]) -> list[dict]:
    return [asdict(r) | {"median": r.median,
                         "ratio": r.ratio if r.peer else None}
            for r in rows]
