# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel of a node is set to do with the network, as text that can
be compared: addresses, routes, rules, proxies, fixed neighbours, nftables,
and the switches of forwarding."""

import difflib
import re

COMMANDS = r'''
echo "# addresses"
ip -br addr | sed 's/@[^ ]*//; s/  *$//' |
awk '{ n = split($0, w, " "); print w[1], w[2];
       for (i = 3; i <= n; i++) print w[1], w[i] }' | sort
for f in -4 -6; do
	echo "# rules $f"; ip $f rule | sort
	echo "# routes $f"; ip $f route show table all | grep -v '^multicast' |
		sed 's/ *expires [^ ]*//; s/  *$//' | sort
	echo "# proxies $f"; ip $f neigh show proxy | sort
	echo "# permanent neighbours $f"
	ip $f neigh show nud permanent | sort
done
echo "# nftables"; nft list ruleset
echo "# switches"
cd /proc/sys/net
grep -s . ipv4/ip_forward ipv[46]/conf/*/forwarding \
	ipv[46]/conf/*/proxy_* ipv4/conf/*/rp_filter ipv4/conf/*/arp_* |
sort
'''


def of_node(lab, node):
    text = lab.on(node, 'sh', '-c', COMMANDS)
    # What ctdb's 10.interface leaves behind it when it has blocked an address.
    text = re.sub(r'table ip6? filter \{\n\tchain INPUT \{\n.*policy accept;'
                  r'\n\t\}\n\}\n', '', text)
    # Counters count, handles are new each time.
    text = re.sub(r'counter packets \d+ bytes \d+', 'counter', text)
    return re.sub(r' # handle \d+', '', text)


def difference(before, after):
    return '\n'.join(line for line in difflib.unified_diff(
        before.splitlines(), after.splitlines(), 'before', 'after', n=0,
        lineterm='') if not line.startswith(('---', '+++', '@@')))
