"""What a decoder gives up before its first file: network, other processes, the file system.

Linux only; everywhere else nothing is given up but what `worker` bounds by itself. Three layers,
each of which is tried, and holds for the whole process for good:

- `no_new_privs`: no program that it could start would have more rights.
- `seccomp`: system calls that no decoder needs fail with EPERM; foreign ones end the process.
- `landlock`: no file can be opened (for a worker that is told paths: written), and no TCP port.

By the kernel's own interfaces, seccomp(2) and landlock(7): the packages for them on PyPI are young,
or need a C library. The filter lists what is denied, not what is allowed: decoders, numpy and libc
need other calls with each version, and one that was missing would end decoding on some machine.
"""

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

NO_NEW_PRIVS, SECCOMP, LANDLOCK = "no_new_privs", "seccomp", "landlock"
LAYERS = (NO_NEW_PRIVS, SECCOMP, LANDLOCK)

# By name: the numbers on x86_64 and aarch64, None where there is no such call.
_DENIED: dict[str, tuple[int | None, int | None]] = {
    "socket": (41, 198),
    "socketpair": (53, 199),
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),
    "accept": (43, 202),
    "accept4": (288, 242),
    "execve": (59, 221),
    "execveat": (322, 281),
    "fork": (57, None),
    "vfork": (58, None),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424),
    "pidfd_getfd": (438, 438),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "memfd_create": (319, 279),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "fsopen": (430, 430),
    "unshare": (272, 97),
    "setns": (308, 268),
    "personality": (135, 92),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "setuid": (105, 146),
    "setgid": (106, 144),
    "setgroups": (116, 159),
    "capset": (126, 91),
    "setresuid": (117, 147),
    "setresgid": (119, 149),
    "setreuid": (113, 145),
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "fchown": (93, 55),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "truncate": (76, 45),
    "ftruncate": (77, 46),
    "unlink": (87, None),
    "unlinkat": (263, 35),
    "rename": (82, None),
    "renameat": (264, 38),
    "renameat2": (316, 276),
    "mkdir": (83, None),
    "mkdirat": (258, 34),
    "rmdir": (84, None),
    "mknod": (133, None),
    "mknodat": (259, 33),
    "link": (86, None),
    "linkat": (265, 37),
    "symlink": (88, None),
    "symlinkat": (266, 36),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "open_by_handle_at": (304, 265),
    "shmget": (29, 194),
    "mq_open": (240, 180),
}
_OPENING = {"open": (2, None), "openat": (257, 56), "openat2": (437, 437), "creat": (85, None)}
_OWN_ONLY = {"kill": (62, 129), "tgkill": (234, 131)}
_CLONE, _CLONE3 = (56, 220), (435, 435)
_PRLIMIT = (302, 261)
_MACHINES = {"x86_64": (0, 0xC000003E, 317), "aarch64": (1, 0xC00000B7, 277)}

_CLONE_THREAD = 0x10000
_X32_BIT = 0x40000000
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_PR_SET_NO_NEW_PRIVS = 38
_SET_FILTER, _ALL_THREADS = 1, 1
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3

_Instruction = tuple[int, int, int, int]


def confine(*, opens_files: bool) -> list[str]:
    """Give up what decoding does not need, and return the layers that hold.

    `opens_files` leaves the right to open files to read them.
    """
    if not sys.platform.startswith("linux"):
        return []
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        return []
    held = [NO_NEW_PRIVS]
    # Before the filter, which may close the way to it.
    if _landlock(libc, opens_files=opens_files):
        held.append(LANDLOCK)
    machine = _MACHINES.get(platform.machine())
    if machine is not None and _seccomp(libc, *machine, opens_files=opens_files):
        held.append(SECCOMP)
    return held


def _landlock(libc: ctypes.CDLL, *, opens_files: bool) -> bool:
    """Restrict this thread and those that it will start; tell whether that holds for all."""
    version = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    # Threads that are there already would go free.
    if version < 1 or len(list(Path("/proc/self/task").iterdir())) > 1:
        return False
    files = (1 << (13 if version == 1 else 14 if version == 2 else 15 if version < 5 else 16)) - 1
    network = 3 if version >= 4 else 0
    scopes = 3 if version >= 6 else 0
    # Older kernels refuse a longer structure.
    rules = struct.pack("QQQ", files, network, scopes)[: 24 if scopes else 16 if network else 8]
    ruleset = libc.syscall(_CREATE_RULESET, rules, ctypes.c_size_t(len(rules)), ctypes.c_uint32(0))
    if ruleset < 0:
        return False
    try:
        if opens_files and not _allow_reading(libc, ruleset):
            return False
        return bool(libc.syscall(_RESTRICT_SELF, ruleset, ctypes.c_uint32(0)) == 0)
    finally:
        os.close(ruleset)


def _allow_reading(libc: ctypes.CDLL, ruleset: int) -> bool:
    root = os.open("/", os.O_PATH | os.O_CLOEXEC)
    try:
        rule = struct.pack("=Qi", _READ_FILE | _READ_DIR, root)
        return bool(libc.syscall(_ADD_RULE, ruleset, 1, rule, ctypes.c_uint32(0)) == 0)
    finally:
        os.close(root)


def _seccomp(libc: ctypes.CDLL, column: int, arch: int, seccomp: int, *, opens_files: bool) -> bool:
    """Filter the system calls of all threads; tell whether that holds."""
    code = b"".join(
        struct.pack("=HBBI", *one) for one in _filter(column, arch, opens_files=opens_files)
    )
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("@HP", len(code) // 8, ctypes.addressof(buffer))
    done = libc.syscall(
        seccomp, ctypes.c_uint32(_SET_FILTER), ctypes.c_uint32(_ALL_THREADS), program
    )
    return bool(done == 0)


def _filter(column: int, arch: int, *, opens_files: bool) -> Iterator[_Instruction]:
    """Yield the filter: operation, jumps if true and if false, operand (classic BPF)."""
    yield _LOAD, 0, 0, 4
    yield _EQUAL, 1, 0, arch
    yield _RETURN, 0, 0, _KILL
    yield _LOAD, 0, 0, 0
    if column == 0:
        yield _AT_LEAST, 0, 1, _X32_BIT
        yield _RETURN, 0, 0, _KILL
    refuse = _RETURN, 0, 0, _ERRNO | errno.EPERM
    for numbers in (_DENIED if opens_files else _DENIED | _OPENING).values():
        number = numbers[column]
        if number is not None:
            yield _EQUAL, 0, 1, number
            yield refuse
    # Without it libc falls back to clone, whose flags can be looked at.
    yield _EQUAL, 0, 1, _CLONE3[column]
    yield _RETURN, 0, 0, _ERRNO | errno.ENOSYS
    for number, test in (
        (_CLONE[column], (_ANY_BIT, 0, 1, _CLONE_THREAD)),
        *((numbers[column], (_EQUAL, 0, 1, os.getpid())) for numbers in _OWN_ONLY.values()),
        (_PRLIMIT[column], (_EQUAL, 0, 1, 0)),
    ):
        yield _EQUAL, 0, 4, number
        yield _LOAD, 0, 0, 16
        yield test
        yield _RETURN, 0, 0, _ALLOW
        yield refuse
    yield _RETURN, 0, 0, _ALLOW
