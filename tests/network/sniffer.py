#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who says on a network that an address is his?

    sniffer.py BRIDGE..      in the switch of a testbed; ends with its input

Prints a line `TIME BRIDGE ADDRESS MAC HOW' for each claim: senders of ARP
replies and requests (gratuitous ones, too), targets of neighbour
advertisements, sources of neighbour solicitations. TIME is CLOCK_MONOTONIC.

A network may get to know a new owner, A and then B. It may not hear A, B and A
again while one thing happens: then two answer for the address, and clients
lose what they send to the wrong one. See disputes().
"""

import collections
import ipaddress
import select
import socket
import struct
import sys
import time

ETH_P_ARP, ETH_P_IPV6 = 0x0806, 0x86dd
SO_ATTACH_FILTER = 26
SOL_PACKET, PACKET_ADD_MEMBERSHIP, PACKET_MR_PROMISC = 263, 1, 1
SOLICITATION, ADVERTISEMENT = 135, 136
SOURCE_OPTION, TARGET_OPTION = 1, 2

Claim = collections.namedtuple('Claim', 'time bridge address mac how')


def mac_text(raw):
    return ':'.join('%02x' % byte for byte in raw)


def of_arp(frame):
    """(address, MAC, how) of an ARP frame, or None."""
    if len(frame) < 42:
        return None
    kind, _, sizes, operation = struct.unpack('>HHHH', frame[14:22])
    if kind != 1 or sizes != 0x0604 or frame[28:32] == bytes(4):
        return None     # 0.0.0.0: a probe claims nothing
    gratuitous = frame[28:32] == frame[38:42]
    how = {1: 'request', 2: 'reply'}.get(operation, 'other')
    return (str(ipaddress.IPv4Address(frame[28:32])), mac_text(frame[22:28]),
            'gratuitous-' + how if gratuitous else how)


def option(options, wanted):
    """The MAC in an option of a neighbour message, or None."""
    while len(options) >= 8 and options[1]:
        if options[0] == wanted:
            return mac_text(options[2:8])
        options = options[8 * options[1]:]
    return None


def of_neighbour(frame):
    """The same of a neighbour solicitation or advertisement."""
    if len(frame) < 78 or frame[20] != 58:
        return None
    if frame[54] == ADVERTISEMENT:
        mac = option(frame[78:], TARGET_OPTION) or mac_text(frame[6:12])
        return str(ipaddress.IPv6Address(frame[62:78])), mac, 'advertisement'
    if frame[54] == SOLICITATION and frame[22:38] != bytes(16):
        mac = option(frame[78:], SOURCE_OPTION)
        if mac:
            return (str(ipaddress.IPv6Address(frame[22:38])), mac,
                    'solicitation')
    return None


def icmpv6_only(sock):
    """The kernel gives us neighbour messages only, not all of IPv6."""
    code = ((0x30, 0, 0, 20), (0x15, 0, 4, 58),         # next header
            (0x30, 0, 0, 54), (0x15, 1, 0, SOLICITATION),
            (0x15, 0, 1, ADVERTISEMENT), (0x06, 0, 0, 0xffff),
            (0x06, 0, 0, 0))
    raw = b''.join(struct.pack('HBBI', *line) for line in code)
    buffer = bytearray(raw)
    import ctypes
    array = (ctypes.c_char * len(buffer)).from_buffer(buffer)
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack(
        'HL', len(code), ctypes.addressof(array)))


def sniff(bridges):
    sockets = {}
    for bridge in bridges:
        for protocol in (ETH_P_ARP, ETH_P_IPV6):
            sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            if protocol == ETH_P_IPV6:
                icmpv6_only(sock)
            sock.bind((bridge, protocol))
            # What a bridge passes on it hands up only if it is promiscuous.
            sock.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, struct.pack(
                'IHH8s', socket.if_nametoindex(bridge), PACKET_MR_PROMISC, 0,
                b''))
            sockets[sock] = (bridge, of_arp if protocol == ETH_P_ARP
                             else of_neighbour)
    print('ready', flush=True)
    while True:
        readable, _, _ = select.select(list(sockets) + [sys.stdin], [], [])
        if sys.stdin in readable:
            return
        for sock in readable:
            frame = sock.recv(2048)
            bridge, parse = sockets[sock]
            claim = parse(frame)
            if claim:
                print('%.6f %s %s %s %s' % ((time.monotonic(), bridge) +
                                            claim), flush=True)


# ------------------------------------------------------------ for the tests

def claims(lines):
    for line in lines:
        words = line.split()
        if len(words) == 5:
            yield Claim(float(words[0]), *words[1:])


def disputes(all_claims, addresses, begin, end):
    """Claims of the addresses from begin to end in which a MAC speaks again
    after another one has: a list of texts."""
    seen = collections.defaultdict(list)
    disputed = set()
    for claim in all_claims:
        if not begin <= claim.time < end or claim.address not in addresses:
            continue
        said = seen[claim.bridge, claim.address]
        if said and said[-1].mac == claim.mac:
            continue
        if any(old.mac == claim.mac for old in said):
            disputed.add((claim.bridge, claim.address))
        said.append(claim)
    return ['two owners of %s on %s: %s%s' % (address, bridge, ', '.join(
        '%s %s at %+.3f' % (c.mac, c.how, c.time - begin)
        for c in seen[bridge, address][:8]),
        '' if len(seen[bridge, address]) <= 8 else ', ..')
            for bridge, address in sorted(disputed)]


if __name__ == '__main__':
    sniff(sys.argv[1:])
