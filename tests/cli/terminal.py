"""Runs a command whose output is a terminal, and prints what it wrote there.

    terminal [--pause] COMMAND...

--pause stops the command for more than a second soon after it began, so that
whatever depends on time is due. Escape characters are shown as <ESC>, carriage
returns as <CR>.
"""

import os
import pty
import signal
import sys
import time


def main() -> int:
    arguments = sys.argv[1:]
    pause = arguments[0] == "--pause"
    command = arguments[1:] if pause else arguments
    child, terminal = pty.fork()
    if child == 0:
        os.execvp(command[0], command)
    if pause:
        time.sleep(0.1)
        os.kill(child, signal.SIGSTOP)
        time.sleep(1.3)
        os.kill(child, signal.SIGCONT)
    written = b""
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:
            break
        if not piece:
            break
        written += piece
    status = os.waitpid(child, 0)[1]
    # The terminal itself turns each newline into both.
    written = written.replace(b"\r\n", b"\n")
    written = written.replace(b"\x1b", b"<ESC>").replace(b"\r", b"<CR>")
    sys.stdout.buffer.write(written)
    sys.stdout.flush()
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main() % 256)
