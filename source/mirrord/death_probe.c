/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Does the kernel of a node answer? See death_probe.h. */

#include <arpa/inet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>
#include "ctdb_session.h"
#include "death_probe.h"

struct probe {
	struct sockaddr_storage address;
	int connection;		/* -1: it has failed without an answer */
	int echo;		/* -1: we may not */
	uint16_t id;
	uint64_t next_echo;	/* ms */
	bool answered;
};

static socklen_t address_size(const struct probe *probe)
{
	return probe->address.ss_family == AF_INET6 ?
		sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

static int probe_destructor(struct probe *probe)
{
	if (probe->connection != -1) {
		close(probe->connection);
	}
	if (probe->echo != -1) {
		close(probe->echo);
	}
	return 0;
}

/* Who says yes or no is there; that there is no way to it is no answer. */
static void connection_ended(struct probe *probe, int error)
{
	if (error == 0 || error == ECONNREFUSED || error == ECONNRESET) {
		probe->answered = true;
	}
	close(probe->connection);
	probe->connection = -1;
}

static void connect_now(struct probe *probe)
{
	const struct linger reset = { .l_onoff = 1 };

	probe->connection = socket(probe->address.ss_family,
				   SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
				   0);
	if (probe->connection == -1) {
		return;
	}
	setsockopt(probe->connection, SOL_SOCKET, SO_LINGER, &reset,
		   sizeof(reset));
	if (connect(probe->connection,
		    (const struct sockaddr *)&probe->address,
		    address_size(probe)) == 0) {
		connection_ended(probe, 0);
	} else if (errno != EINPROGRESS) {
		connection_ended(probe, errno);
	}
}

/* Of an echo request that is nothing but its header, with sequence 0. */
static uint16_t checksum(uint16_t id)
{
	uint32_t sum = (ICMP_ECHO << 8) + ntohs(id);

	sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

static void send_echo(struct probe *probe)
{
	struct sockaddr_storage to = probe->address;
	struct icmphdr echo4 = { .type = ICMP_ECHO };
	struct icmp6_hdr echo6 = { .icmp6_type = ICMP6_ECHO_REQUEST };
	const void *packet = &echo4;
	size_t size = sizeof(echo4);

	if (to.ss_family == AF_INET6) {
		/* The kernel does the checksum. A raw socket has no port. */
		((struct sockaddr_in6 *)&to)->sin6_port = 0;
		echo6.icmp6_id = probe->id;
		packet = &echo6;
		size = sizeof(echo6);
	} else {
		echo4.un.echo.id = probe->id;
		echo4.checksum = checksum(probe->id);
	}
	sendto(probe->echo, packet, size, MSG_DONTWAIT | MSG_NOSIGNAL,
	       (const struct sockaddr *)&to, address_size(probe));
	probe->next_echo = session_now() + PROBE_AGAIN_MS;
}

static bool same_host(const struct sockaddr_storage *a,
		      const struct sockaddr_storage *b)
{
	if (a->ss_family != b->ss_family) {
		return false;
	}
	if (a->ss_family == AF_INET) {
		return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
			((const struct sockaddr_in *)b)->sin_addr.s_addr;
	}
	return memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr,
		      &((const struct sockaddr_in6 *)b)->sin6_addr,
		      sizeof(struct in6_addr)) == 0;
}

static bool is_reply(const struct probe *probe, const uint8_t *packet,
		     size_t length)
{
	struct icmphdr echo4;
	struct icmp6_hdr echo6;
	size_t at;

	if (probe->address.ss_family == AF_INET6) {
		if (length < sizeof(echo6)) {
			return false;
		}
		memcpy(&echo6, packet, sizeof(echo6));
		return echo6.icmp6_type == ICMP6_ECHO_REPLY &&
			echo6.icmp6_id == probe->id;
	}
	/* IPv4 gives its header with it. */
	at = length > 0 ? (size_t)(packet[0] & 15) * 4 : 0;
	if (length < at + sizeof(echo4)) {
		return false;
	}
	memcpy(&echo4, packet + at, sizeof(echo4));
	return echo4.type == ICMP_ECHOREPLY && echo4.un.echo.id == probe->id;
}

static void read_echo(struct probe *probe)
{
	struct sockaddr_storage from = { .ss_family = AF_UNSPEC };
	socklen_t size = sizeof(from);
	uint8_t packet[512];
	ssize_t n;

	n = recvfrom(probe->echo, packet, sizeof(packet), MSG_DONTWAIT,
		     (struct sockaddr *)&from, &size);
	if (n > 0 && same_host(&from, &probe->address) &&
	    is_reply(probe, packet, (size_t)n)) {
		probe->answered = true;
	}
}

static void wait_once(struct probe *probe, uint64_t until)
{
	struct pollfd fds[2] = {
		{ .fd = probe->connection, .events = POLLOUT },
		{ .fd = probe->echo, .events = POLLIN },
	};
	uint64_t now = session_now();

	if (probe->echo != -1 && probe->next_echo < until) {
		until = probe->next_echo;
	}
	if (poll(fds, 2, now < until ? (int)(until - now) : 0) <= 0) {
		return;
	}
	if (fds[0].revents != 0) {
		socklen_t size = sizeof(int);
		int error = 0;

		getsockopt(probe->connection, SOL_SOCKET, SO_ERROR, &error,
			   &size);
		connection_ended(probe, error);
	}
	if (fds[1].revents != 0) {
		read_echo(probe);
	}
}

bool probe_answered(struct probe *probe, uint64_t until)
{
	do {
		if (probe->echo != -1 &&
		    session_now() >= probe->next_echo) {
			send_echo(probe);
		}
		wait_once(probe, until);
	} while (!probe->answered && session_now() < until);
	return probe->answered;
}

int probe_new(TALLOC_CTX *mem_ctx,
	      const struct sockaddr_storage *address,
	      struct probe **_probe)
{
	const bool ipv6 = address->ss_family == AF_INET6;
	struct probe *probe = talloc_zero(mem_ctx, struct probe);

	if (probe == NULL) {
		return ENOMEM;
	}
	probe->address = *address;
	probe->id = (uint16_t)getpid();
	probe->connection = -1;
	probe->echo = socket(address->ss_family,
			     SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
			     ipv6 ? (int)IPPROTO_ICMPV6 : (int)IPPROTO_ICMP);
	talloc_set_destructor(probe, probe_destructor);
	if (probe->echo == -1) {
		/* A connection alone has one packet to be lost. */
		int ret = errno;

		talloc_free(probe);
		return ret;
	}
	connect_now(probe);
	*_probe = probe;
	return 0;
}
