"""Memory of a process, as /proc reports it."""

import re


def memory_kB(pid: int) -> dict[str, int]:
    """{rss, anonymous} of a process, kB. rss: all in memory; anonymous: without mapped files."""
    status = read(f"/proc/{pid}/status")
    return {"rss": status_kB(status, "VmRSS"), "anonymous": status_kB(status, "RssAnon")}


def status_kB(status: str, field: str) -> int:
    """A field of /proc/PID/status in kB; 0 if it is missing."""
    return int(field_of(status, field, "0").split()[0])


def field_of(text: str, name: str, absent: str) -> str:
    """The value in a line `name: value`; `absent` if there is no such line."""
    match = re.search(rf"(?m)^{name}\s*:\s*(.*)", text)
    return match[1] if match else absent


def read(path: str) -> str:
    """The text of a file, "" if it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
