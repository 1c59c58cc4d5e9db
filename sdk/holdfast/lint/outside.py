"""Names of the world outside a workflow, and which rule each breaks.

A name is written from its module on: `datetime.datetime.now`. What a call gives carries `()`: `pathlib.Path().open`.
"""

from __future__ import annotations

from typing import Final


def words(text: str) -> list[str]:
    return text.split()


def _names(module: str, names: str) -> list[str]:
    return [f"{module}.{name}" for name in words(names)]


_CLOCK: Final = (
    *_names("datetime.datetime", "now utcnow today"),
    "datetime.date.today",
    *_names("time", "time time_ns monotonic monotonic_ns perf_counter perf_counter_ns process_time process_time_ns"),
    *_names(
        "time", "thread_time thread_time_ns localtime gmtime ctime asctime strftime clock_gettime clock_gettime_ns"
    ),
    *_names("django.utils.timezone", "now localtime localdate"),
    *_names("pendulum", "now today tomorrow yesterday"),
    *_names("arrow", "now utcnow"),
    *_names("timeit", "timeit default_timer"),
)
_ENVIRONMENT: Final = (
    *_names("os", "getenv getenvb getpid getppid getcwd getcwdb getlogin getuid cpu_count uname getloadavg"),
    *_names("os.path", "expanduser expandvars abspath realpath"),
    *_names("pathlib.Path", "cwd home"),
    *_names("socket", "gethostname getfqdn"),
    *_names("platform", "*"),
    *_names("getpass", "getuser"),
    *_names("locale", "getlocale getpreferredencoding localeconv"),
    *_names("sys", "getrefcount gettrace"),
    *_names("gc", "*"),
    *_names("psutil", "*"),
)
_FILES: Final = (
    *_names("builtins", "open input"),
    *_names("io", "open open_code"),
    *_names("os", "open read write listdir scandir walk remove unlink rename replace mkdir makedirs rmdir removedirs"),
    *_names("os", "stat lstat access chmod chown link symlink readlink truncate utime"),
    *_names("os.path", "exists isfile isdir islink getsize getmtime getctime getatime"),
    *(f"{module}.*" for module in ("shutil", "tempfile", "glob", "fileinput", "aiofiles", "sqlite3", "dbm", "shelve")),
    *_names("gzip", "open"),
    *_names("tarfile", "open"),
    *_names("zipfile", "ZipFile"),
)
_NETWORK: Final = (
    *(f"{module}.*" for module in ("socket", "ssl", "urllib.request", "http.client", "smtplib", "ftplib", "imaplib")),
    *(
        f"{module}.*"
        for module in ("requests", "httpx", "aiohttp", "urllib3", "websockets", "grpc", "redis", "pymongo")
    ),
    *(f"{module}.*" for module in ("asyncpg", "psycopg", "psycopg2", "pymysql", "aiomysql", "aiosqlite", "motor")),
    *(f"{module}.*" for module in ("boto3", "aioboto3", "botocore", "paramiko", "kafka", "aiokafka", "pika", "openai")),
    *_names("sqlalchemy", "create_engine"),
    "sqlalchemy.ext.asyncio.create_async_engine",
    *_names("asyncio", "open_connection start_server open_unix_connection start_unix_server"),
)
_PROCESSES: Final = (
    "subprocess.*",
    "multiprocessing.*",
    *_names("os", "system popen fork forkpty kill execv execve execvp execl spawnl spawnv posix_spawn startfile"),
    *_names("asyncio", "create_subprocess_exec create_subprocess_shell"),
    *_names("asyncio.subprocess", "*"),
)
_THREADS: Final = (
    *(f"{module}.*" for module in ("threading", "concurrent.futures", "_thread", "queue", "asgiref.sync")),
    *_names("asyncio", "to_thread"),
    *_names("anyio.to_thread", "run_sync"),
    *_names("signal", "*"),
)
_LOOPS: Final = (
    *_names("asyncio", "run new_event_loop set_event_loop run_coroutine_threadsafe wrap_future Runner"),
    *_names("asyncio.new_event_loop()", "*"),
    *_names("anyio", "run"),
    *_names("trio", "*"),
)
_OUTPUT: Final = (
    *_names("builtins", "print"),
    *(f"{module}.*" for module in ("logging", "loguru", "structlog")),
    *_names("warnings", "warn"),
    *_names("pprint", "pprint pp"),
    *_names("sys.stdout", "write"),
    *_names("sys.stderr", "write"),
    *_names("traceback", "print_exc print_exception print_stack"),
)
_RANDOM: Final = (
    *(f"{module}.*" for module in ("random", "secrets", "numpy.random")),
    *_names("os", "urandom getrandom"),
)
CALLS: Final[dict[str, str]] = {
    **dict.fromkeys(_CLOCK, "HF101"),
    **dict.fromkeys(_RANDOM, "HF102"),
    **dict.fromkeys(_names("uuid", "uuid1 uuid4 uuid6 uuid7 uuid8 getnode"), "HF103"),
    **dict.fromkeys(_ENVIRONMENT, "HF104"),
    **dict.fromkeys(_names("builtins", "id hash"), "HF105"),
    "time.sleep": "HF201",
    **dict.fromkeys(_FILES, "HF202"),
    **dict.fromkeys(_NETWORK, "HF203"),
    **dict.fromkeys(_PROCESSES, "HF204"),
    **dict.fromkeys(_THREADS, "HF205"),
    **dict.fromkeys(_LOOPS, "HF206"),
    **dict.fromkeys(_OUTPUT, "HF501"),
}
"""`module.*` means everything in it that is called."""

ATTRIBUTES: Final[dict[str, str]] = dict.fromkeys(
    [*_names("os", "environ environb"), *_names("sys", "argv path platform executable version version_info flags")],
    "HF104",
)
"""What breaks a rule by being read."""

HARMLESS: Final = frozenset(
    {
        *_names("logging", "getLogger getLevelName Formatter"),
        *_names("structlog", "get_logger"),
        *_names("threading", "local"),
        *_names("concurrent.futures", "CancelledError TimeoutError"),
        *_names("queue", "Empty Full"),
        *_names("urllib.request", "Request quote unquote"),
        *_names("socket", "inet_aton inet_ntoa htons ntohs htonl ntohl"),
    }
)
SEEDED: Final = frozenset({"random.Random", "numpy.random.default_rng", "numpy.random.RandomState"})
"""With an argument they give the same numbers each time."""

_PATH: Final = "pathlib.Path()"
_PATH_IO: Final = frozenset(
    words(
        "read_text read_bytes write_text write_bytes open exists is_file is_dir is_symlink iterdir glob rglob walk "
        "stat lstat mkdir rmdir unlink rename replace touch chmod owner group resolve absolute expanduser samefile "
        "readlink"
    )
)
_RUNNING: Final = ("asyncio.get_running_loop()", "asyncio.get_event_loop()")
_LOOP_METHODS: Final[dict[str, str]] = {
    **dict.fromkeys(words("run_in_executor set_default_executor"), "HF205"),
    **dict.fromkeys(words("subprocess_exec subprocess_shell"), "HF204"),
    **dict.fromkeys(words("run_until_complete run_forever call_soon_threadsafe add_signal_handler stop"), "HF206"),
    **dict.fromkeys(words("create_connection create_server create_datagram_endpoint create_unix_connection"), "HF203"),
    **dict.fromkeys(words("create_unix_server start_tls getaddrinfo getnameinfo add_reader add_writer"), "HF203"),
    **dict.fromkeys(words("sock_recv sock_recv_into sock_sendall sock_connect sock_accept"), "HF203"),
}
_OF_A_LOOP: Final = frozenset(
    f"asyncio.{name}()" for name in words("Event Lock Queue Semaphore BoundedSemaphore Condition Future Barrier")
)


def rule_of_call(name: str, *, has_arguments: bool, is_shared: bool) -> str | None:
    """The code that calling this breaks. `is_shared`: it begins at a variable of a module."""
    if name in SEEDED and has_arguments:
        return None
    for seeded in SEEDED:
        if name.startswith(f"{seeded}()."):
            return "HF102" if is_shared else None
    head, _, last = name.rpartition(".")
    if head.startswith(_PATH) and last in _PATH_IO:
        return "HF202"
    if head in _RUNNING:
        return "HF206" if is_shared else _LOOP_METHODS.get(last)
    if is_shared and head in _OF_A_LOOP:
        return "HF206"
    return None if name in HARMLESS else _listed(name)


def _listed(name: str) -> str | None:
    if name in CALLS:
        return CALLS[name]
    head = name
    while head:
        head = head.rpartition(".")[0]
        if f"{head}.*" in CALLS:
            return CALLS[f"{head}.*"]
    return None
