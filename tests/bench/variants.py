# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers that are compared. All are up at the same time, each in a
testbed of its own, and differ in what the table below says and in nothing
else: the file system, the disk and the rest of smb.conf are the same.
"""

import os
import subprocess

import measure
from lab import Lab, LabError, TOP

MIB = 1 << 20
# netbench speaks SMB1.
COMMON = 'server min protocol = NT1'


def remove_empty(folder):
    """Who says where the disks are to be may have other things there."""
    try:
        os.rmdir(folder)
    except OSError:
        pass


class Variant:
    """A row of the table: the tool of tests/testbed that makes it, with the
    number of nodes and the keys that it is given."""

    def __init__(self, text, tool, nodes, data=('n0:/srv/alpha',), **keys):
        self.text, self.tool, self.nodes = text, tool, nodes
        # Where the disks that hold the data are mounted.
        self.data = [place.split(':') for place in data]
        self.keys = keys
        self.stage = None

    def like(self, text, stage, keys):
        """The same with other keys, or of another build."""
        other = Variant(text, self.tool, self.nodes, **dict(self.keys, **keys))
        other.data, other.stage = self.data, stage
        return other


# ctdb's monitor events (mostly testparm and other tools of Samba, a tenth of a
# second of CPU time on each node) as often as in conf/ctdb.tunables.example;
# the tests have them more often.
MONITOR = '5'
BRICKS = ('n0:/srv/brick', 'n1:/srv/brick')
VARIANTS = {
    'plain': Variant('plain smbd, one node, cached', 'standalone', 1),
    'sync': Variant('plain smbd with `sync always = yes`', 'standalone', 1,
                    options='strict sync = yes\nsync always = yes'),
    'clustered': Variant('two nodes with ctdb, without the module', 'pair', 2,
                         mirror='no', monitor=MONITOR),
    'mirror': Variant('the pair, as the testbed makes it', 'pair', 2,
                      monitor=MONITOR),
    # One client of GlusterFS for all smbds. With vfs_glusterfs each has one,
    # with caches that do not always agree: netbench with several clients fails.
    'gluster': Variant('GlusterFS replica 2, smbd on its FUSE mount',
                       'gluster', 2, data=BRICKS, access='fuse'),
    'gluster-vfs': Variant('GlusterFS replica 2, smbd with vfs_glusterfs',
                           'gluster', 2, data=BRICKS, access='vfs'),
    'unencrypted': Variant('the pair with mirror:encrypt = no', 'pair', 2,
                           encrypt='no', monitor=MONITOR),
}
DEFAULT = 'plain,sync,clustered,mirror,gluster'


class Server:
    """A variant while it is up."""

    def __init__(self, name, variant, args):
        self.name, self.variant = name, variant
        self.lab = Lab('%s-%s' % (args.lab, name), variant.stage)
        self.disks = os.path.join(args.diskdir, name)
        self.scratch = args.scratch
        self.fs, self.flush_ms = args.fs, args.flush_ms
        self.lab.env.update(DISKDIR=self.disks, DISKMB=str(args.diskmb),
                            LIFE=str(args.life))
        self.mirrors = variant.tool == 'pair' and \
            variant.keys.get('mirror', 'yes') == 'yes'

    # ------------------------------------------------------------ life cycle

    def up(self):
        keys = dict(self.variant.keys, fs=self.fs)
        if self.flush_ms:
            keys['disk_flush'] = str(round(1000 * self.flush_ms))
        keys['options'] = '\n'.join(
            [COMMON] + keys.get('options', '').split('\n')).strip()
        tool = os.path.join(TOP, 'tests/testbed', self.variant.tool)
        self.down()
        self.lab.tb('up', str(self.variant.nodes))
        self.lab.run(tool, 'conf', *['%s=%s' % k for k in keys.items()])
        self.lab.run(tool, 'start', timeout=300)
        if self.mirrors:
            self.lab.wait_mirrored()
        for folder in self.folders():
            self.age(folder)
        self.check()

    def down(self):
        self.lab.down()
        remove_empty(self.disks)

    def age(self, folder):
        """Write every block of a disk once: no write of the measurement is
        to be the first one of its place in the file below, which would cost
        more."""
        path = os.path.join(folder, '.fill')
        zeros = bytes(4 * MIB)
        with open(path, 'wb', buffering=0) as fill:
            try:
                while fill.write(zeros) == len(zeros):
                    pass
            except OSError:
                pass            # it is full
        measure.syncfs(folder)
        os.unlink(path)
        measure.syncfs(folder)

    def check(self):
        """Is it still what it is to be? A pair that lost its partner, or
        moved, would measure something else."""
        if self.mirrors and self.lab.mode('n0', 'alpha') != 'mirrored':
            raise LabError('%s: alpha is not mirrored on n0' % self.name)
        for node, place in self.variant.data:
            if not os.path.ismount(self.inside(node, place)):
                raise LabError('%s: %s is not mounted on %s' % (
                    self.name, place, node))

    # ----------------------------------------------------- seen from outside

    def pid(self, node):
        with open(os.path.join(self.lab.folder, node, 'pid')) as pid:
            return int(pid.read())

    def inside(self, node, place):
        return '/proc/%d/root%s' % (self.pid(node), place)

    def folders(self):
        return [self.inside(*place) for place in self.variant.data]

    def sync(self):
        for folder in self.folders():
            measure.syncfs(folder)

    def nodes(self):
        return ['n%d' % n for n in range(self.variant.nodes)]

    def loops(self):
        """The loop devices of all nodes. Nodes have loop devices of their own
        of the same disks; only who has one mounted writes to it."""
        found = []
        for node in self.nodes():
            with open(os.path.join(self.lab.folder, node, 'loops')) as loops:
                found += [line.split()[0] for line in loops]
        return found

    def groups(self):
        """{node or client: its cgroup}; the testbed says where they are."""
        name = 'testbed' + self.lab.folder.replace('/', '-')
        for root in ('/sys/fs/cgroup', '/sys/fs/cgroup/unified',
                     os.path.join(self.lab.folder, 'cgroup')):
            top = os.path.join(root, name)
            if os.path.isdir(top):
                return {node: os.path.join(top, node)
                        for node in self.nodes() + ['client']}
        raise LabError('no cgroup of ' + self.lab.folder)


# ------------------------------------------------------------------ versions

def said(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.DEVNULL, check=False)
    return done.stdout.strip().split('\n')[0]


def versions(names):
    found = {'kernel': os.uname().release,
             'samba': said('smbd', '--version').replace('Version ', ''),
             'samba-mirror': said('git', '-C', TOP, 'describe', '--always',
                                  '--dirty')}
    if any(name.startswith('gluster') for name in names):
        found['glusterfs'] = said('glusterfs', '--version').split()[1]
    return found


PACKAGES = {'gluster': ('glusterfs-server', 'glusterfs-client'),
            'nbench': ('dbench',)}


def install(names):
    """Debian packages that are not there yet. Their daemons are not started:
    here they would stand for no configuration that anybody wanted."""
    missing = [n for n in names if subprocess.run(
        ('dpkg-query', '-W', '-f', '${db:Status-Status}', n),
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        check=False).stdout != b'installed']
    if not missing:
        return
    policy = '/usr/sbin/policy-rc.d'
    made = not os.path.exists(policy)
    if made:
        with open(policy, 'w') as script:
            script.write('#!/bin/sh\nexit 101\n')
        os.chmod(policy, 0o755)
    try:
        for command in (('update',), ('install', '-y',
                                      '--no-install-recommends', *missing)):
            done = subprocess.run(
                ('apt-get', '-qq', *command), stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, check=False,
                env=dict(os.environ, DEBIAN_FRONTEND='noninteractive'))
        if done.returncode != 0:
            raise LabError('cannot install ' + ' '.join(missing))
    finally:
        if made:
            os.unlink(policy)
