# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads and does what the administrator's guide says, word by word.

Each block of commands or of a file's text has a comment before it that says
what to do with it; a block without one is an error:

    <!-- on: n0 -->             run it there, all of it must succeed; n0, n1,
                                both (one after the other), client
    <!-- on: n0 until: REGEX -->    again and again until it says that
    <!-- on: n0 typing: WORD.. -->  at a terminal, these are typed when asked
    <!-- on: both skip: WHY -->     not run; skipped() tells
    <!-- file: /etc/x on: n0 -->    it is the text of that file
    <!-- example -->                not meant to be run

and what is no command has a comment of its own:

    <!-- do: NAME ARGUMENT.. -->    a method do_NAME of Guide's actions
    <!-- check: WORDS -->           a method check_WORDS
"""

import os
import pty
import re
import select
import shlex
import subprocess
import time

from lab import LabError

# What the test puts in the place of the guide's words, and nothing else: the
# testbed has no IPMI.
SUBSTITUTES = {
    'fence_ipmilan ip=10.9.0.1 lanplus=1 username=admin '
    'password_script=/etc/samba/ipmi-password':
    'fence_testbed plug=0 password=none',
    'fence_ipmilan ip=10.9.0.2 lanplus=1 username=admin '
    'password_script=/etc/samba/ipmi-password':
    'fence_testbed plug=1 password=none',
    'fence_ipmilan -a 10.9.0.$(($1 + 1)) -P -l admin '
    '-S /etc/samba/ipmi-password -o off':
    'testbed-fence "$1"',
}

# Nodes of the testbed have no systemd and no ssh. These do the part of it that
# the guide uses; what a unit starts is read from the unit.
STAND_INS = {
    'systemctl': r'''#!/bin/bash
verb=$1 now= units=()
shift
for a; do if [ "$a" = --now ]; then now=1; else units+=("$a"); fi; done
value() { sed -n "s/^$1=//p" "/lib/systemd/system/$2.service"; }
running() {
	local p
	p=$(cat "$(value PIDFile "$1")" 2>/dev/null) && kill -0 "$p" 2>/dev/null
}
start() {
	running "$1" && return
	mkdir -p "$(dirname "$(value PIDFile "$1")")"
	$(value ExecStart "$1") </dev/null
}
stop() {
	local stop i
	running "$1" || return 0
	stop=$(value ExecStop "$1")
	if [ -n "$stop" ]; then $stop; else kill "$(cat "$(value PIDFile "$1")")"; fi
	for ((i = 0; i < 600; i++)); do running "$1" || return 0; sleep 0.1; done
	echo "$1 does not stop" >&2
	return 1
}
mkdir -p /etc/testbed-enabled
for u in "${units[@]}"; do
	[ -e "/lib/systemd/system/$u.service" ] || {
		echo "Unit $u.service could not be found." >&2; exit 5; }
	case $verb in
	enable)	: >"/etc/testbed-enabled/$u"; [ -z "$now" ] || start "$u" ;;
	disable) rm -f "/etc/testbed-enabled/$u"; [ -z "$now" ] || stop "$u" ;;
	start|stop) $verb "$u" ;;
	restart) stop "$u" && start "$u" ;;
	*) echo "systemctl $verb: the testbed's has no such verb" >&2; exit 1 ;;
	esac || exit
done
''',
    'scp': r'''#!/bin/bash
[ "$1" = -p ] && [ $# = 3 ] || { echo "scp -p FILE NODE:FILE" >&2; exit 1; }
mkdir -p "/shared/scp/${3%%:*}/$(dirname "${3#*:}")"
cp -p "$2" "/shared/scp/${3%%:*}/${3#*:}"
''',
}

MARK = re.compile(r'^<!-- (?:(example)|(?P<words>.*)) -->$')
KEYS = ('file', 'on', 'until', 'typing', 'skip', 'do', 'check')
FENCE = '```'


class Step:
    """A mark of the guide with its block, if it has one."""

    def __init__(self, where, words):
        self.where = where
        self.text = None
        parts = re.split(r'(?:^|(?<= ))(%s): ' % '|'.join(KEYS), words)
        self.keys = {key: value.strip() for key, value in
                     zip(parts[1::2], parts[2::2])}
        if parts[0].strip() or not self.keys:
            raise LabError('%s: what is <!-- %s -->?' % (where, words))


def steps(path):
    """All steps of a page of the guide; LabError for a block without mark."""
    found, mark, block = [], None, None
    with open(path) as page:
        for number, line in enumerate(page.read().split('\n'), 1):
            where = '%s:%d' % (os.path.basename(path), number)
            if block is not None:
                if line == FENCE:
                    if mark != 'example':
                        mark.text = '\n'.join(block) + '\n'
                        found.append(mark)
                    mark = block = None
                else:
                    block.append(line)
                continue
            match = MARK.match(line)
            if match:
                mark = 'example' if match.group(1) else Step(
                    where, match.group('words'))
                if mark != 'example' and ('do' in mark.keys or
                                          'check' in mark.keys):
                    found.append(mark)
                    mark = None
            elif line.startswith(FENCE):
                if mark is None:
                    raise LabError('%s: a block without a mark' % where)
                block = []
            elif mark is not None:
                raise LabError('%s: a mark without a block' % where)
    if block is not None or mark is not None:
        raise LabError('%s: no end' % path)
    return found


class Guide:
    """Does the steps in a lab; actions has do_* and check_* methods."""

    def __init__(self, lab, actions, seconds=180):
        self.lab = lab
        self.actions = actions
        self.seconds = seconds
        self.skipped = []
        self.substituted = set()

    def stand_ins(self, node):
        for name, text in STAND_INS.items():
            self.write(node, '/usr/local/sbin/' + name, text, 0o755)

    def write(self, node, path, text, mode=0o644):
        temporary = os.path.join(self.lab.folder, 'shared/guide-file')
        with open(temporary, 'w') as out:
            out.write(text)
        self.lab.on(node, 'install', '-D', '-m', '%o' % mode,
                    '/shared/guide-file', path)

    def shell(self, node, text):
        """Exit status and output. Daemons that it starts may keep its output
        open, so that is a file."""
        with open(os.path.join(self.lab.folder, 'guide-output'), 'w+') as out:
            code = subprocess.run(
                (self.lab.testbed, 'exec', node, 'bash', '-e', '-c', text),
                env=self.lab.env, stdin=subprocess.DEVNULL, stdout=out,
                stderr=subprocess.STDOUT, timeout=300).returncode
            out.seek(0)
            return code, out.read()

    def type(self, node, text, words):
        """The same at a terminal; a word for each colon at a line's end."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.execve(self.lab.testbed, [self.lab.testbed, 'exec', node,
                                         'bash', '-e', '-c', text],
                      self.lab.env)
        said, words, asked = '', list(words), 0
        end = time.monotonic() + 120
        while time.monotonic() < end:
            if not select.select([terminal], [], [], 1)[0]:
                continue
            try:
                data = os.read(terminal, 4096)
            except OSError:     # it ended
                data = b''
            if not data:
                break
            said += data.decode(errors='replace')
            if words and said[asked:].rstrip(' ').endswith(':'):
                asked = len(said)
                os.write(terminal, (words.pop(0) + '\n').encode())
        os.close(terminal)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if words:
            said += '\nnobody asked for: %s' % ' '.join(words)
        return code or len(words), said

    def deliver(self):
        """What the stand-in of scp has copied."""
        top = os.path.join(self.lab.folder, 'shared/scp')
        for node in os.listdir(top) if os.path.isdir(top) else []:
            self.lab.on(node, 'cp', '-a', '/shared/scp/%s/.' % node, '/')
            self.lab.run('rm', '-rf', os.path.join(top, node))

    def substitute(self, text):
        for word, other in SUBSTITUTES.items():
            if word in text:
                self.substituted.add(word)
                text = text.replace(word, other)
        return text

    def run(self, path):
        for step in steps(path):
            try:
                self.step(step)
            except Exception as error:
                raise LabError('the guide does not work at %s:\n%s\n%s' % (
                    step.where, step.text or step.keys, error)) from error

    def step(self, step):
        keys = step.keys
        for kind in ('do', 'check'):
            if kind in keys:
                name, *arguments = (keys[kind].split() if kind == 'do' else
                                    [keys[kind].replace(' ', '_')])
                getattr(self.actions, '%s_%s' % (
                    kind, name.replace('-', '_')))(*arguments)
                return
        if 'skip' in keys:
            self.skipped.append('%s: %s (%s)' % (
                step.where, step.text.strip().replace('\n', '; '),
                keys['skip']))
            return
        nodes = ['n0', 'n1'] if keys['on'] == 'both' else [keys['on']]
        text = self.substitute(step.text)
        for node in nodes:
            if 'file' in keys:
                self.write(node, keys['file'], text)
            elif 'until' in keys:
                self.until(node, text, keys['until'])
            else:
                code, said = (self.type(node, text, shlex.split(
                    keys['typing'])) if 'typing' in keys else
                    self.shell(node, text))
                if code != 0:
                    raise LabError('%s: exit %d\n%s' % (node, code, said))
        self.deliver()

    def until(self, node, text, pattern):
        end = time.monotonic() + self.seconds
        while True:
            said = self.shell(node, text)[1]
            if re.search(pattern, said):
                return
            if time.monotonic() > end:
                raise LabError('%s: not within %d s; at last:\n%s' % (
                    node, self.seconds, said))
            time.sleep(0.3)
