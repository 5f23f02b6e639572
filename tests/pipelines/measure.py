"""Starts one command and reports what it used itself.

The peak memory of a process begins with that of whoever it was forked from, so it is forked from here: from next to
nothing, and not from a pytest that holds hundreds of MiB. Called as `measure.py FD COMMAND…`, standard library only.
"""

import json
import os
import sys


def main() -> None:
    report, command = int(sys.argv[1]), sys.argv[2:]
    process = os.posix_spawnp(command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_CLOSE, report)])
    _, status, usage = os.wait4(process, 0)
    told = {
        "code": os.waitstatus_to_exitcode(status),
        "peak_memory_bytes": usage.ru_maxrss * 1024,
        "cpu_s": usage.ru_utime + usage.ru_stime,
    }
    os.write(report, json.dumps(told).encode())


main()
