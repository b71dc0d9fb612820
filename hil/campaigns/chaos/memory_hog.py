"""Memory pressure: `python -m hil.campaigns.chaos.memory_hog MEBIBYTES PARENT` takes so much, gives
it back, takes it again.

RLIMIT_AS limits it. If memory runs out, the kernel ends this process first.
"""

import mmap
import os
import resource
import sys

MORE_MiB = 512  # the interpreter itself
PAGE_BYTES = 4096


def main(size_MiB, parent):
    """Runs until the parent process has ended."""
    resource.setrlimit(
        resource.RLIMIT_AS, ((size_MiB + MORE_MiB) << 20, (size_MiB + MORE_MiB) << 20)
    )
    with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("1000")
    size_bytes = size_MiB << 20
    while os.getppid() == parent:
        with mmap.mmap(-1, size_bytes) as taken:
            for at in range(0, size_bytes, PAGE_BYTES):
                taken[at] = 1


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
