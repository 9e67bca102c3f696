# SPDX-License-Identifier: GPL-3.0-or-later
"""What the runs of the split-brain matrix came to. Owns the file of results: a
line of JSON for each run. Runs of another product do not count, unless it is
told that what has changed since is nothing to them.
"""

import collections
import json
import os
import subprocess
import threading
import time

HERE = os.path.dirname(os.path.realpath(__file__))
PRODUCT = ('source', 'ctdb-events')


def product():
    """Changes with each line of what is installed."""
    return '-'.join(subprocess.run(
        ('git', '-C', HERE, 'rev-parse', '--short=12', 'HEAD:./../../' + part),
        stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
        for part in PRODUCT)


def read(path):
    if not path or not os.path.exists(path):
        return []
    with open(path) as file:
        return [json.loads(line) for line in file]


class Results:
    def __init__(self, path, lock, older=False):
        self.path = path
        self.lock = lock
        self.of = product() if path else ''
        self.guard = threading.Lock()
        self.over = threading.Event()
        self.passed = self.failed = 0
        self.took = collections.defaultdict(list)
        self.before = collections.Counter(
            run['cell'] for run in read(path)
            if run['lock'] == lock and (older or run['product'] == self.of))

    def made(self, cell):
        return self.before[cell]

    def add(self, cell, wrong, took):
        """Returns the number of failed ones so far."""
        with self.guard:
            self.passed += not wrong
            self.failed += bool(wrong)
            if took is not None:
                self.took[cell].append(took)
            if self.path:
                with open(self.path, 'a') as file:
                    file.write(json.dumps({
                        'cell': cell, 'lock': self.lock, 'product': self.of,
                        'when': int(time.time()), 'took': took,
                        'wrong': wrong}) + '\n')
            return self.failed

    def longest(self):
        return '\n'.join(
            '%-32s owned by one after %.1f s (longest of %d)' % (
                cell, max(took), len(took))
            for cell, took in sorted(self.took.items()))


def report(path, cells):
    """A table of all cells, per lock; in Markdown."""
    lines = []
    runs = read(path)
    for lock in sorted({run['lock'] for run in runs}):
        lines += ['', '## ' + lock, '',
                  '| cut | lock | stands still | runs | failed | owned by one'
                  ' after: median, longest (s) |', '|---|---|---|---|---|---|']
        for cell in cells:
            mine = [run for run in runs
                    if run['lock'] == lock and run['cell'] == cell]
            took = sorted(run['took'] for run in mine
                          if run['took'] is not None)
            lines.append('| %s | %d | %d | %s |' % (
                cell.replace(' ', ' | '), len(mine),
                sum(bool(run['wrong']) for run in mine),
                '%.1f, %.1f' % (took[len(took) // 2], took[-1])
                if took else ''))
        lines += ['', '%d runs, %d failed.' % (
            sum(run['lock'] == lock for run in runs),
            sum(run['lock'] == lock and bool(run['wrong']) for run in runs))]
    return '\n'.join(lines)
