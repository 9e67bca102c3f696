# SPDX-License-Identifier: GPL-3.0-or-later
"""What the integration tests, the demo and the soak test share: the testbed,
the pair on it, and clients.

Everything happens in namespaces that tests/testbed/testbed makes and removes.
"""

import json
import os
import random
import re
import subprocess
import sys
import time

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), '../..'))
ADDRESS = {'ALPHA': '10.77.0.200', 'BETA': '10.77.0.201'}
# Only where a pair is told to have more services.
FURTHER = {'GAMMA': '10.77.0.202', 'DELTA': '10.77.0.203'}
CREDENTIALS = '-Utester%tester'


class LabError(Exception):
    """The testbed or the product did not do what it must."""


class Lab:
    """A testbed with a pair on it."""

    def __init__(self, folder, stage=None):
        self.env = dict(os.environ, LAB=folder, LC_ALL='C',
                        PATH='/usr/sbin:/usr/bin:/sbin:/bin',
                        STAGE=stage or os.environ.get(
                            'STAGE', os.path.join(TOP, 'build/stage')))
        self.folder = folder
        self.testbed = os.path.join(TOP, 'tests/testbed/testbed')
        self.pair_tool = os.path.join(TOP, 'tests/testbed/pair')

    # -------------------------------------------------------------- running

    def run(self, *command, check=True, timeout=120, **kwargs):
        """Run a command of this machine, return what it printed."""
        done = subprocess.run(command, env=self.env, text=True,
                              stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=timeout,
                              **kwargs)
        if check and done.returncode != 0:
            raise LabError('%s: exit %d\n%s' % (
                ' '.join(command), done.returncode, done.stdout))
        return done.stdout

    def tb(self, *command, **kwargs):
        return self.run(self.testbed, *command, **kwargs)

    def pair(self, *command, **kwargs):
        return self.run(self.pair_tool, *command,
                        **dict({'timeout': 300}, **kwargs))

    def on(self, node, *command, **kwargs):
        """Run a command in a node, `client' or `switch'."""
        return self.tb('exec', node, *command, **kwargs)

    def ok(self, node, *command):
        """Does the command succeed in the node?"""
        return subprocess.run(
            (self.testbed, 'exec', node) + command, env=self.env,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, timeout=120).returncode == 0

    def start(self, *command, output=subprocess.DEVNULL,
              stdin=subprocess.DEVNULL):
        """Start a command in the client and return the process."""
        return subprocess.Popen(
            (self.testbed, 'exec', 'client') + command, env=self.env,
            stdin=stdin, stdout=output,
            stderr=subprocess.STDOUT, text=True, start_new_session=True)

    # ------------------------------------------------------------ life cycle

    def up(self, nodes=2, disks=0, **conf):
        self.down()
        # One more for the mailbox of the cluster lock.
        self.env['DISKS'] = str(disks or int(conf.get('services', 2)) +
                                (conf.get('lock') == 'mailbox'))
        third = conf.get('lock') in ('witness', 'etcd')
        self.env['WITNESS'] = 'yes' if third else 'no'
        self.tb('up', str(nodes))
        self.configure(**conf)

    def configure(self, **conf):
        self.pair('conf', *['%s=%s' % item for item in conf.items()])
        self.pair('start')
        if conf.get('mirror', 'yes') == 'yes':
            self.wait_mirrored()

    def down(self):
        self.run(self.testbed, 'down', check=False)

    # ----------------------------------------------------------------- state

    def status(self, node):
        """mirrorctl status as a dictionary: volume name -> its state."""
        answer = json.loads(self.on(node, 'mirrorctl', 'status', '--json'))
        return {volume['name']: volume for volume in answer['volumes']}

    def mode(self, node, volume):
        if node is None:    # nobody has it just now
            return None
        try:
            return self.status(node)[volume].get('mode')
        except (LabError, ValueError, KeyError):
            return None

    def wait(self, what, condition, seconds=60, step=0.05):
        """Wait until condition() is true; LabError after some time."""
        end = time.monotonic() + seconds
        while True:
            try:
                value = condition()
            except (LabError, subprocess.TimeoutExpired):
                value = None
            if value:
                return value
            if time.monotonic() > end:
                raise LabError('%s: not within %d s' % (what, seconds))
            time.sleep(step)

    def owner(self, service):
        """The node that has the service's address, or None."""
        for node in self.nodes_with_power():
            address = ADDRESS.get(service) or FURTHER[service]
            if address + '/' in self.on(node, 'ip', '-br', 'addr'):
                return node
        return None

    def nodes_with_power(self):
        if not os.path.exists(os.path.join(self.folder, 'nodes')):
            return []    # no testbed is up
        with open(os.path.join(self.folder, 'nodes')) as nodes:
            names = nodes.read().split()
        return [n for n in names if self.run(
            self.testbed, 'pid', n, check=False).strip().isdigit()]

    def wait_mirrored(self, volumes=('alpha', 'beta'), seconds=60):
        for volume in volumes:
            self.wait('%s mirrored' % volume, lambda v=volume: self.mode(
                self.owner(v.upper()), v) == 'mirrored', seconds, 0.2)

    def heal(self):
        """All nodes on, healthy, services at home, mirrored."""
        with open(os.path.join(self.folder, 'nodes')) as nodes:
            names = nodes.read().split()
        up = self.nodes_with_power()
        for node in names:
            if node not in up:
                self.tb('boot', node)
            if not self.ok(node, 'ctdb', 'pnn'):
                self.pair('start', node)
        self.pair('wait')
        self.pair('home')
        self.wait_mirrored()

    def forget_events(self):
        """So that `mirrorctl log' tells of this test only."""
        for node in self.nodes_with_power():
            self.on(node, 'sh', '-c', 'rm -f /var/lib/samba-mirror/events*; '
                    'test ! -e /run/samba-mirror/events || '
                    'truncate -s 0 /run/samba-mirror/events')

    def log(self, node):
        return self.pair('logs', node, check=False)

    # --------------------------------------------------------------- clients

    def smbclient(self, commands, service='ALPHA', share=None, check=True,
                  timeout=60):
        share = share or service.lower()
        return self.on('client', 'smbclient', CREDENTIALS, '-t', '30',
                       '//%s/%s' % (ADDRESS[service], share), '-c', commands,
                       check=check, timeout=timeout)


class Session:
    """A client with an open connection; commands are sent, not waited for."""

    def __init__(self, lab, service='ALPHA', address=None,
                 output=subprocess.DEVNULL):
        self.process = lab.start(
            'smbclient', CREDENTIALS, '-t', '60',
            '//%s/%s' % (address or ADDRESS[service], service.lower()),
            stdin=subprocess.PIPE, output=output)

    def send(self, command):
        self.process.stdin.write(command + '\n')
        self.process.stdin.flush()

    def close(self):
        """Returns when all commands are answered."""
        self.process.stdin.close()
        return self.process.wait(timeout=60)


class Load:
    """Clients that write, and their journal."""

    def __init__(self, lab, name, service='ALPHA', clients=4, seed=None,
                 seconds=600, user='tester%tester'):
        self.lab = lab
        # Clients work in folders that are named after the seed: no two loads
        # may have the same. It stands in the log of a failed test.
        if seed is None:
            seed = random.randrange(1, 1 << 40)
        self.folder = os.path.join(lab.folder, 'shared', 'load-' + name)
        os.makedirs(self.folder, exist_ok=True)
        self.seed = seed
        self.user = user
        self.log_path = os.path.join(self.folder, 'load.log')
        self.log_file = open(self.log_path, 'w')
        self.process = lab.start(
            os.path.join(TOP, 'build/tests/mirror-load'),
            '-c', str(clients), '-s', str(seed), '-t', str(seconds),
            '-j', self.folder, '-U', user,
            '//%s/%s' % (ADDRESS[service], service.lower()),
            output=self.log_file)

    def acknowledged(self):
        """Operations acknowledged so far: lines `A NUMBER TIME'."""
        count = 0
        for path in self.journals():
            with open(path, 'rb') as journal:
                count += journal.read().count(b'\nA ')
        return count

    def stop(self, check=True, seconds=180):
        """Let every client end its operation, then no more."""
        if self.process.poll() is None:
            # The parent alone: it tells its children. Told twice, they would
            # leave an operation in the middle.
            self.lab.on('client', 'pkill', '-TERM', '-o', '-f', self.folder,
                        check=False)
        code = self.process.wait(timeout=seconds)
        self.log_file.close()
        with open(self.log_path) as log:
            text = log.read()
        if code != 0 and check:
            raise LabError('the load ended with %d:\n%s' % (code, text))
        return text

    def verify(self):
        """The checker's result as a dictionary; 'text' says what is wrong."""
        out = self.lab.on(
            'client', os.path.join(TOP, 'build/tests/mirror-verify'),
            '-U', self.user, *self.journals(), check=False, timeout=600)
        match = re.search(r'^(?P<issued>\d+) issued, '
                          r'(?P<acknowledged>\d+) acknowledged, '
                          r'(?P<in_doubt>\d+) in doubt, (?P<lost>\d+) LOST, '
                          r'(?P<unexpected>\d+) unexpected; longest pause '
                          r'(?P<longest_pause>[0-9.]+) s', out, re.M)
        if not match:
            raise LabError('mirror-verify: ' + out)
        result = {key: float(value) if '.' in value else int(value)
                  for key, value in match.groupdict().items()}
        result['text'] = ''
        if result['lost'] or result['unexpected']:
            result['text'] = 'seed %d\n%s' % (self.seed, out)
        return result

    def journals(self):
        return sorted(os.path.join(self.folder, name)
                      for name in os.listdir(self.folder)
                      if name.endswith('.journal'))


def say(text=''):
    print(text)
    sys.stdout.flush()
