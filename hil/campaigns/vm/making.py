"""Making the box: a Debian base, the controller installed into it, a disk.

Each check takes the Lab and returns what it found, or raises CheckError. The simulated plant,
outside the box, shows what the cabinet does; the box's shell tells what the box thinks.
"""

from hil.campaigns.report import CheckError
from hil.campaigns.vm import image


def base(lab):
    """The Debian base."""
    image.check_space(lab.cache)
    kept = (lab.cache / image.base_name()).exists()
    path = image.make_base(lab.cache)
    image.unpack(path, lab.tree)
    return f"{path.name}, {path.stat().st_size >> 20} MB, {'kept from before' if kept else 'made'}"


def installed(lab):
    """A first installation into the tree."""
    code, lines = image.install(lab.tree)
    if code:
        raise CheckError(lines[-1])
    return f"{len(lines)} lines; {next(line for line in lines if 'release' in line)}"


def installed_twice(lab):
    """A second one changes nothing, and keeps a file its owner has changed."""
    owned = lab.tree / "etc/firebreak/example/site.toml"
    owned.write_text(owned.read_text() + "# mine\n")
    code, lines = image.install(lab.tree)
    if (
        code
        or not owned.read_text().endswith("# mine\n")
        or any(line.startswith("installed") for line in lines)
    ):
        raise CheckError(f"exit code {code}: {' | '.join(lines)}")
    return next(line for line in lines if line.startswith("kept"))


def disk(lab):
    """The scaffold of the test, then the disk."""
    image.add_scaffold(lab.tree, lab.bench.ports, lab.cache / "work")
    image.make_disk(lab.tree, lab.cache)
    return f"{(lab.cache / 'disk.img').stat().st_blocks * 512 >> 20} MB"
