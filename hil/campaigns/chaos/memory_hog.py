"""`python -m ...memory_hog MEBIBYTES PARENT`: takes memory, and the kernel kills it first."""

import mmap
import os
import resource
import sys


def main(size_MiB: int, parent: int) -> None:
    """Run until the parent process has ended."""
    size_bytes = size_MiB << 20
    limit_bytes = size_bytes + (512 << 20)  # the interpreter itself
    resource.setrlimit(resource.RLIMIT_AS, (limit_bytes, limit_bytes))
    with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("1000")
    while os.getppid() == parent:
        with mmap.mmap(-1, size_bytes) as taken:
            for offset in range(0, size_bytes, mmap.PAGESIZE):
                taken[offset] = 1


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
