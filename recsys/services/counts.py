"""The directory into which all processes of a machine count: one file for each process and kind of metric.

prometheus_client leaves the files of processes that have ended. Their counts still count, so those of counters and
histograms are folded into one file, else each restart and each command would make every scrape slower for ever; what
they said of themselves at the time (live gauges) is dropped.
"""

from __future__ import annotations

import fcntl
import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import multiprocess
from prometheus_client.mmap_dict import MmapedDict

KEPT = 16  # files of ended processes that are left alone until there are more
NOBODY = 0  # the pid in the name of the file that sums up ended processes


@contextmanager
def settled(directory: Path) -> Iterator[None]:
    """Tidy up and keep others from doing so until the block, which reads the files, has ended."""
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _drop_live_gauges(directory)
        for kind in ("counter", "histogram"):
            ended = [file for file in directory.glob(f"{kind}_*.db") if not _runs(_pid(file))]
            if len(ended) > KEPT:
                _fold(directory / f"{kind}_{NOBODY}.db", ended)
        yield


def _drop_live_gauges(directory: Path) -> None:
    for file in directory.glob("gauge_live*_*.db"):
        if not _runs(_pid(file)):
            multiprocess.mark_process_dead(_pid(file), str(directory))  # type: ignore[no-untyped-call]


def _fold(total: Path, ended: list[Path]) -> None:
    """Add the counts of `ended` to `total` and remove those files."""
    sums: dict[str, float] = defaultdict(float)
    for file in [total, *ended] if total.exists() else ended:
        for key, value, *_ in MmapedDict.read_all_values_from_file(str(file)):  # type: ignore[no-untyped-call]
            sums[key] += value
    scratch = total.with_suffix(".new")
    scratch.unlink(missing_ok=True)
    sheet = MmapedDict(str(scratch))  # type: ignore[no-untyped-call]
    for key, value in sums.items():
        sheet.write_value(key, value, 0)  # type: ignore[no-untyped-call]
    sheet.close()  # type: ignore[no-untyped-call]
    scratch.replace(total)
    for file in ended:
        file.unlink()


def _pid(file: Path) -> int:
    number = file.stem.rpartition("_")[2]
    return int(number) if number.isdigit() else NOBODY


def _runs(pid: int) -> bool:
    if pid == NOBODY:
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
