"""A serial adapter that can be pulled out and plugged in: a pty behind a link, as in by-id."""

import os
import select
import tty

GUARD_S = 30


class Plug:
    def __init__(self, path):
        self.path, self.master = str(path), -1
        self.plug_in()

    def plug_in(self):
        self.pull_out()
        self.master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(self.master, False)
        os.symlink(os.ttyname(slave), self.path)
        os.close(slave)

    def pull_out(self):
        if self.master >= 0:
            os.close(self.master)
            os.unlink(self.path)
        self.master = -1

    def take(self, count):
        data = b""
        while len(data) < count:
            assert select.select([self.master], [], [], GUARD_S)[0], f"only {data} came"
            data += os.read(self.master, count - len(data))
        return data
