# SPDX-License-Identifier: GPL-3.0-or-later
"""Services in the registry: added, changed and removed while others run, and
seen only where they live."""

CONF = {'fs': 'ext4'}

NOT_HERE = 'NT_STATUS_BAD_NETWORK_NAME'


def connect(lab, share, service):
    """What a client hears that looks for a share at a service's address."""
    return lab.smbclient('ls', service, share, check=False)


def test_share_is_seen_only_at_its_service(lab):
    """A share of BETA is not at the address of ALPHA: not while BETA lives on
    the other node, not while both live on one; and nothing is created where it
    would be mounted.

    Seen to fail with not_here_by_address() that finds nothing, and with
    mirror_realpath() that passes on (an empty folder is shown).
    """
    lab.on('n0', 'mkdir', '-p', '/srv/beta/share')
    try:
        assert NOT_HERE in connect(lab, 'beta', 'ALPHA')
        assert NOT_HERE in connect(lab, 'alpha', 'BETA')
        assert 'blocks of size' in connect(lab, 'beta', 'BETA')
    finally:
        lab.on('n0', 'rmdir', '/srv/beta/share')
    lab.on('n0', 'ctdb', 'moveip', '10.77.0.201', '0')
    lab.wait('BETA on n0', lambda: lab.owner('BETA') == 'n0')
    lab.wait_mirrored(['beta'])
    for share, service in (('beta', 'ALPHA'), ('alpha', 'BETA')):
        assert NOT_HERE in connect(lab, share, service), share
        assert 'blocks of size' in connect(lab, share, share.upper()), share


def both(lab, *command):
    """What a command says on n0, which it also says on n1."""
    said = [lab.on(node, *command) for node in ('n0', 'n1')]
    assert said[0] == said[1], (command, said)
    return said[0]


def test_both_nodes_are_one_identity(lab):
    """Machine account, SIDs, passwords, groups and shares are in ctdb's
    databases: what is set on one node is so on the other.

    Seen to fail with "passdb backend = smbpasswd", which is each node's own.
    """
    assert 'SID for domain PAIR is: S-1-5-21-' in both(
        lab, 'net', 'getlocalsid')
    lab.on('n0', 'net', 'setdomainsid', 'S-1-5-21-11-22-33')
    assert 'S-1-5-21-11-22-33' in both(lab, 'net', 'getdomainsid')
    before = both(lab, 'pdbedit', '-L', '-w', '-u', 'tester')
    lab.on('n1', 'bash', '-c',
           "printf 'changed\\nchanged\\n' | smbpasswd -s tester")
    try:
        assert both(lab, 'pdbedit', '-L', '-w', '-u', 'tester') != before
    finally:
        lab.on('n1', 'bash', '-c',
               "printf 'tester\\ntester\\n' | smbpasswd -s tester")
    lab.on('n0', 'net', 'groupmap', 'add', 'ntgroup=Crew', 'unixgroup=users',
           'type=local')
    assert 'Crew' in both(lab, 'net', 'groupmap', 'list')
    lab.on('n1', 'net', 'groupmap', 'delete', 'ntgroup=Crew')
    assert 'Crew' not in both(lab, 'net', 'groupmap', 'list')
    both(lab, 'net', 'conf', 'list')
    # The id map is winbindd's, in a database of ctdb as the others.
    assert 'S-1-5-21-11-22-33-1000' in id_map(lab)


def id_map(lab):
    """Made on n0, read on n1."""
    lab.on('n0', 'bash', '-c', "printf 'GID 70000 S-1-5-21-11-22-33-1000\\n"
           "USER HWM 70000\\nGROUP HWM 70001\\n' |"
           " net idmap restore --db=/var/lib/samba/winbindd_idmap.tdb")
    return lab.on('n1', 'net', 'idmap', 'dump',
                  '--db=/var/lib/samba/winbindd_idmap.tdb')
