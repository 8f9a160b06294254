# SPDX-License-Identifier: ISC
"""A private world: namespaces, addresses and processes that die with it.

Two network namespaces joined by a cable, because Exim refuses an MX host
whose address is its own: this side sends, the far side serves.  All files
live on a tmpfs; /etc, /usr and /var are covered by overlays, so that every
program runs at its real path and the host is left as it was.
"""
import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPO = HERE.parent.parent
# A tmpfs of this namespace alone; where it hides nothing we need.
ROOT = next(d for d in map(Path, ("/mnt", "/srv", "/media"))
            if d.is_dir() and not REPO.is_relative_to(d))
NEAR4, FAR4 = "198.18.0.2", "198.18.0.1"
NEAR6, FAR6 = "2001:db8::2", "2001:db8::1"
RESOLVER = "198.18.0.53"
# Whatever the far side owns: any address in these can be served.
FAR_NETS = ["198.18.1.0/24", "198.18.53.0/24", "198.18.128.0/17",
            RESOLVER + "/32"]
FAR_NETS6 = ["2001:db8:1::/48", "2001:db8:25::/48"]
HOLE4, HOLE6 = "198.18.66.0/24", "2001:db8:66::/48"  # swallows packets
DOWN4 = "198.18.67.0/24"  # host unreachable, at once

_far: subprocess.Popen | None = None


class WorldError(Exception):
    """The world could not be built; no verdict about the product."""


def enter(argv: list[str]) -> int:
    """Run argv again in fresh namespaces; all of it ends with this process."""
    if os.geteuid() != 0:
        raise WorldError("the test world needs root (namespaces)")
    # The shell is process 1 of the world: it reaps what daemons leave behind.
    return subprocess.call(
        ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc",
         "--propagation", "private", "--kill-child",
         "sh", "-c", '"$@"; exit $?', "world", *argv],
        preexec_fn=_die_with_parent)


def _die_with_parent() -> None:
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def sh(*argv: str, check: bool = True, stdin: str | None = None) -> str:
    """Run a command of the set-up; its output, or WorldError with it."""
    p = subprocess.run(argv, input=stdin, text=True, check=False,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if check and p.returncode != 0:
        raise WorldError(f"{' '.join(argv)}: {p.stdout.strip()}")
    return p.stdout


def build() -> None:
    """Inside the namespaces: file systems, cable, addresses."""
    global _far
    sh("mount", "-t", "tmpfs", "-o", "mode=755", "world", str(ROOT))
    for d in ("etc", "usr", "var"):
        up, work = ROOT / "overlay" / d / "up", ROOT / "overlay" / d / "work"
        up.mkdir(parents=True)
        work.mkdir()
        sh("mount", "-t", "overlay", "overlay", "-o",
           f"lowerdir=/{d},upperdir={up},workdir={work}", f"/{d}")
    # libfaketime names its shared memory by process number: ours begin at 1.
    sh("mount", "-t", "tmpfs", "shm", "/dev/shm")
    _far = subprocess.Popen(["unshare", "--net", "sleep", "infinity"],
                            preexec_fn=_die_with_parent)
    me = os.readlink("/proc/self/ns/net")
    wait_until(lambda: os.readlink(f"/proc/{_far.pid}/ns/net") != me, 5,
               "second network namespace")
    sh("ip", "link", "set", "lo", "up")
    sh("ip", "link", "add", "near", "type", "veth", "peer", "name", "far",
       "netns", str(_far.pid))
    for cmd in (f"addr add {NEAR4}/30 dev near",
                f"addr add {NEAR6}/64 dev near nodad",
                "link set near up",
                f"route add 198.18.0.0/15 via {FAR4}",
                f"-6 route add 2001:db8::/32 via {FAR6}"):
        sh("ip", *cmd.split())
    for cmd in (["link set lo up", f"addr add {FAR4}/30 dev far",
                 f"addr add {FAR6}/64 dev far nodad", "link set far up",
                 f"route add blackhole {HOLE4}",
                 f"route add unreachable {DOWN4}",
                 f"-6 route add blackhole {HOLE6}"]
                + [f"route add local {n} dev lo" for n in FAR_NETS]
                + [f"-6 route add local {n} dev lo" for n in FAR_NETS6]):
        sh(*far("ip", *cmd.split()))
    # Without forwarding nobody is told that a host cannot be reached.
    sh(*far("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"))
    # IPv6 binds to an address of a local route only if told that it may.
    sh(*far("sh", "-c", "echo 1 >/proc/sys/net/ipv6/ip_nonlocal_bind"))
    set_resolver(RESOLVER)


def far(*argv: str) -> list[str]:
    """The command that runs argv on the far side."""
    return ["nsenter", f"--net=/proc/{_far.pid}/ns/net", *argv]


def set_resolver(addr: str) -> None:
    """What resolv.conf says to every program on this side."""
    path = Path("/etc/resolv.conf")
    if path.is_symlink():
        path.unlink()
    # trust-ad: glibc strips the AD bit without it, and DANE never happens.
    path.write_text(f"nameserver {addr}\noptions trust-ad timeout:2 "
                    "attempts:2\n")


def daemon(argv: list[str], log: Path, **kw) -> subprocess.Popen:
    """Start a server; it dies with the world."""
    with log.open("ab") as out:
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out,
                                stderr=subprocess.STDOUT, **kw)


def far_daemon(argv: list[str], log: Path) -> subprocess.Popen:
    return daemon(far(*argv), log)


def python(script: Path, *args: str) -> list[str]:
    """A helper of ours as a command."""
    return [sys.executable, "-B", str(script), *args]


def wait_until(cond, seconds: float, what: str, step: float = 0.02) -> None:
    """Wait for cond() to be true; WorldError when it does not come."""
    end = time.monotonic() + seconds
    while not cond():
        if time.monotonic() > end:
            raise WorldError(f"{what}: not there after {seconds} s")
        time.sleep(step)


def running(*names: str) -> list[int]:
    """Processes in the world whose program has one of these names."""
    pids = []
    for p in Path("/proc").iterdir():
        if not p.name.isdigit():
            continue
        try:
            exe = os.path.basename(os.readlink(p / "exe"))
        except OSError:
            continue
        if exe in names:
            pids.append(int(p.name))
    return pids


def clock(offset: str) -> dict[str, str]:
    """Environment for a program that is to live at another time; what it
    finds on the disk does not move with it."""
    lib = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    return {"LD_PRELOAD": str(lib), "FAKETIME": offset, "NO_FAKE_STAT": "1"}


def lay_over(folder: Path, home: Path) -> Path:
    """A root of its own over a folder, which is not written to; home is a
    directory of this world."""
    root = home / "root"
    for d in ("up", "work", "root"):
        (home / d).mkdir(parents=True)
    sh("mount", "-t", "overlay", "overlay", "-o",
       f"lowerdir={folder},upperdir={home}/up,workdir={home}/work", str(root))
    sh("mount", "-t", "proc", "proc", str(root / "proc"))
    sh("mount", "-t", "tmpfs", "-o", "mode=755", "dev", str(root / "dev"))
    for n, minor in (("null", 3), ("zero", 5), ("random", 8), ("urandom", 9)):
        os.mknod(root / "dev" / n, 0o20666, os.makedev(1, minor))
        (root / "dev" / n).chmod(0o666)
    (root / "dev/fd").symlink_to("/proc/self/fd")
    (root / "dev/shm").mkdir()
    (root / "dev/shm").chmod(0o1777)
    (root / "etc/mailname").write_text("sender.test\n")
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
    (root / "etc/resolv.conf").unlink(missing_ok=True)
    (root / "etc/resolv.conf").write_bytes(
        Path("/etc/resolv.conf").read_bytes())
    # The certificate authority of the world is trusted here as well.
    sh("mount", "--bind", "/etc/ssl/certs", str(root / "etc/ssl/certs"))
    return root


def fill(path: Path) -> Path:
    """Use up the file system that holds path; returns the filler."""
    filler = path / ".filler"
    with filler.open("wb", buffering=0) as f:
        for size in (65536, 512, 1):
            try:
                while True:
                    f.write(b"\0" * size)
            except OSError:
                continue
    return filler


def tmpfs(path: Path, size: str, mode: int) -> None:
    path.mkdir(parents=True, exist_ok=True)
    sh("mount", "-t", "tmpfs", "-o", f"size={size},mode={mode:o}", "tmpfs",
       str(path))
