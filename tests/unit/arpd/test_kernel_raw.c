/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What packet sockets let through, and which connections are destroyed. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <sys/socket.h>
#include "beacon.h"
#include "kernel_lab.h"

/* ----------------------------------------------------------------- filters */

#define FRAME_SIZE 120
#define MARK 100	/* where a frame has its number */

enum destination { TO_ALL, TO_GROUP, TO_BEACONS, TO_LAN0, TO_OTHERS };

struct frame {
	enum destination to;
	uint16_t type;
	/* up to three bytes of it */
	struct { uint8_t at; uint8_t value; } bytes[8];
	int receiver;	/* RAW_..., or RAW_KIND_END: none */
};

/* A UDP packet to port 137, and a neighbour message, with what is wrong. */
#define UDP(to, receiver, ...) { to, ETH_P_IP, { { 14, 0x45 }, { 23, 17 }, \
	{ 36, 0 }, { 37, 137 }, __VA_ARGS__ }, receiver }
#define ND(to, receiver, ...) { to, ETH_P_IPV6, { { 14, 0x60 }, { 20, 58 }, \
	{ 21, 255 }, { 54, 135 }, __VA_ARGS__ }, receiver }

static const struct frame frames[] = {
	{ TO_BEACONS, BEACON_ETHERTYPE, { { 14, 'S' } }, RAW_BEACON },
	{ TO_LAN0, BEACON_ETHERTYPE, { { 14, 'S' } }, RAW_BEACON },
	{ TO_BEACONS, BEACON_ETHERTYPE + 1, { { 14, 'S' } }, RAW_KIND_END },
	{ TO_ALL, ETH_P_ARP, { { 15, 1 } }, RAW_ARP },
	{ TO_LAN0, ETH_P_ARP, { { 15, 1 } }, RAW_ARP },
	{ TO_ALL, ETH_P_RARP, { { 15, 1 } }, RAW_KIND_END },
	ND(TO_GROUP, RAW_ND, { 0, 0 }),
	ND(TO_GROUP, RAW_ND, { 54, 136 }),
	ND(TO_LAN0, RAW_ND, { 54, 136 }),
	ND(TO_GROUP, RAW_KIND_END, { 54, 134 }),
	ND(TO_GROUP, RAW_KIND_END, { 54, 137 }),
	ND(TO_GROUP, RAW_KIND_END, { 20, 17 }),
	ND(TO_GROUP, RAW_KIND_END, { 21, 254 }),
	UDP(TO_ALL, RAW_NETBIOS, { 0, 0 }),
	UDP(TO_ALL, RAW_NETBIOS, { 37, 138 }),
	UDP(TO_ALL, RAW_KIND_END, { 37, 136 }),
	UDP(TO_ALL, RAW_KIND_END, { 37, 139 }),
	UDP(TO_ALL, RAW_KIND_END, { 36, 1 }),
	UDP(TO_ALL, RAW_KIND_END, { 23, 6 }),
	UDP(TO_ALL, RAW_KIND_END, { 14, 0x65 }),
	UDP(TO_ALL, RAW_KIND_END, { 20, 0x20 }),
	UDP(TO_ALL, RAW_KIND_END, { 21, 1 }),
	UDP(TO_ALL, RAW_NETBIOS, { 20, 0x40 }),
	UDP(TO_LAN0, RAW_KIND_END, { 0, 0 }),
	UDP(TO_GROUP, RAW_KIND_END, { 0, 0 }),
	/* options: the ports are four bytes later */
	UDP(TO_ALL, RAW_NETBIOS, { 14, 0x46 }, { 37, 0 }, { 41, 137 }),
	UDP(TO_ALL, RAW_KIND_END, { 14, 0x46 }),
};

#define FRAMES (sizeof(frames) / sizeof(frames[0]))

static void set_destination(uint8_t *frame, enum destination to)
{
	static const uint8_t macs[][NET_MAC_SIZE] = {
		[TO_ALL] = { 255, 255, 255, 255, 255, 255 },
		[TO_GROUP] = { 0x33, 0x33, 0xff, 1, 2, 3 },
		[TO_BEACONS] = { 0x03, 0x53, 0x4d, 0x42, 0x42, 0x31 },
		[TO_OTHERS] = { 2, 0, 0, 0, 0, 1 },
	};
	char *text;
	int i;

	if (to != TO_LAN0) {
		memcpy(frame, macs[to], NET_MAC_SIZE);
		return;
	}
	text = lab_output("ip -o link show lan0 | "
			  "sed 's/.*ether \\([^ ]*\\).*/\\1/'");
	for (i = 0; i < NET_MAC_SIZE; i++) {
		frame[i] = (uint8_t)strtoul(text + 3 * i, NULL, 16);
	}
	free(text);
}

static void send_frame(int fd, const struct frame *frame, uint8_t number)
{
	uint8_t bytes[FRAME_SIZE] = { [6] = 2, [11] = 7, [MARK] = number };
	const uint16_t type = htons(frame->type);
	size_t i;

	set_destination(bytes, frame->to);
	memcpy(bytes + 12, &type, sizeof(type));
	for (i = 0; i < 8; i++) {
		if (frame->bytes[i].at != 0) {
			bytes[frame->bytes[i].at] = frame->bytes[i].value;
		}
	}
	assert_int_equal(send(fd, bytes, sizeof(bytes), 0), FRAME_SIZE);
}

static int open_far_end(void)
{
	const struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_ifindex = (int)lab_index("lan0p"),
	};
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	assert_int_equal(bind(fd, (const struct sockaddr *)&address,
			      sizeof(address)), 0);
	return fd;
}

/* Which of our frames came, bit by bit. The kernel's own are not ours. */
static uint64_t received(int fd)
{
	uint64_t numbers = 0;
	uint8_t bytes[2000];
	ssize_t n;

	while ((n = recv(fd, bytes, sizeof(bytes), 0)) >= 0) {
		if (n == FRAME_SIZE && bytes[6] == 2 && bytes[11] == 7) {
			numbers |= UINT64_C(1) << bytes[MARK];
		}
	}
	assert_int_equal(errno, EAGAIN);
	return numbers;
}

/* A veth delivers while it sends, or soon after it: the last frame is one that
 * passes, so what is before it has come when it has. */
static void test_filters(void **state)
{
	int sender = open_far_end();
	uint64_t expected[RAW_KIND_END] = { 0 };
	int kind;
	size_t i;
	int fds[RAW_KIND_END];

	for (kind = 0; kind < RAW_KIND_END; kind++) {
		assert_int_equal(kernel_open((enum raw_kind)kind,
					     lab_index("lan0"), &fds[kind]),
				 0);
	}
	for (i = 0; i < FRAMES; i++) {
		send_frame(sender, &frames[i], (uint8_t)i);
		if (frames[i].receiver != RAW_KIND_END) {
			expected[frames[i].receiver] |= UINT64_C(1) << i;
		}
	}
	for (kind = 0; kind < RAW_KIND_END; kind++) {
		struct pollfd pollfd = { .fd = fds[kind], .events = POLLIN };
		uint64_t got = 0;

		while ((got & expected[kind]) != expected[kind]) {
			assert_int_equal(poll(&pollfd, 1, 2000), 1);
			got |= received(fds[kind]);
		}
		assert_int_equal(got, expected[kind]);
	}
	for (kind = 0; kind < RAW_KIND_END; kind++) {
		close(fds[kind]);
	}
	close(sender);
}

/* Whoever has the socket cannot make it hear more. */
static void test_locked(void **state)
{
	struct sock_filter all = BPF_STMT(BPF_RET | BPF_K, 65535);
	const struct sock_fprog program = { .len = 1, .filter = &all };
	int fd;

	assert_int_equal(kernel_open(RAW_ARP, lab_index("lan0"), &fd), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER,
				    &program, sizeof(program)), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, NULL,
				    0), -1);
	close(fd);
	assert_int_equal(kernel_open(RAW_ARP, 4711, &fd), ENODEV);
	assert_int_equal(fd, -1);
}

/* ------------------------------------------------------------- connections */

struct connection {
	int client;
	int server;
};

static struct connection connect_to(const char *from, const char *to,
				    uint16_t port)
{
	struct net_address a = lab_address(from), b = lab_address(to);
	struct sockaddr_in source = { .sin_family = AF_INET };
	struct sockaddr_in target = { .sin_family = AF_INET,
				      .sin_port = htons(port) };
	struct connection connection;
	int one = 1;
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	memcpy(&source.sin_addr, a.bytes, 4);
	memcpy(&target.sin_addr, b.bytes, 4);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	assert_int_equal(bind(listener, (struct sockaddr *)&target,
			      sizeof(target)), 0);
	assert_int_equal(listen(listener, 1), 0);
	connection.client = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(connection.client, (struct sockaddr *)&source,
			      sizeof(source)), 0);
	assert_int_equal(connect(connection.client,
				 (struct sockaddr *)&target, sizeof(target)),
			 0);
	connection.server = accept(listener, NULL, NULL);
	close(listener);
	return connection;
}

static bool is_alive(const struct connection *connection)
{
	char c;

	return send(connection->client, "x", 1, MSG_NOSIGNAL) == 1 &&
		recv(connection->server, &c, 1, 0) == 1;
}

static void close_both(const struct connection *connection)
{
	close(connection->client);
	close(connection->server);
}

static void test_disconnect(void **state)
{
	struct connection out, in, other_port, other_node, foreign;

	lab_run("ip addr add 10.255.0.2/32 dev lo; "
		"ip addr add 10.255.0.3/32 dev lo");
	lab_settings.nodes[2] = lab_address("10.255.0.3");
	out = connect_to("10.255.0.1", "10.255.0.2", 4379);
	in = connect_to("10.255.0.2", "10.255.0.1", 4379);
	other_port = connect_to("10.255.0.1", "10.255.0.2", 4380);
	other_node = connect_to("10.255.0.1", "10.255.0.3", 4379);
	foreign = connect_to("10.0.0.1", "10.255.0.2", 4379);
	assert_int_equal(kernel_disconnect(&lab_settings, 1), 0);
	assert_false(is_alive(&out));
	assert_false(is_alive(&in));
	assert_true(is_alive(&other_port));
	assert_true(is_alive(&other_node));
	assert_true(is_alive(&foreign));
	/* None is left: no error either. */
	assert_int_equal(kernel_disconnect(&lab_settings, 1), 0);
	assert_int_equal(kernel_disconnect(&lab_settings, 3), 0);
	close_both(&out);
	close_both(&in);
	close_both(&other_port);
	close_both(&other_node);
	close_both(&foreign);
}

/* --------------------------------------------------------------- nftables */

static const char *names(uint32_t interface, char name[NET_NAME_SIZE])
{
	static const char *const list[] = { NULL, "lan0", "ic0", "a\"b" };

	return interface < 4 ? list[interface] : NULL;
}

static void test_nft_text(void **state)
{
	static const char *const expected =
		"table arp samba_mirror {\n"
		"\tchain output {\n"
		"\t\ttype filter hook output priority 0; policy accept;\n"
		"\t\toifname \"lan0\" arp saddr ip 10.0.0.5 drop\n"
		"\t}\n"
		"}\n"
		"table ip samba_mirror {\n"
		"\tchain output {\n"
		"\t\ttype filter hook output priority 0; policy accept;\n"
		"\t}\n"
		"\tchain forward {\n"
		"\t\ttype filter hook forward priority 0; policy accept;\n"
		"\t\tiifname \"lan0\" oifname \"ic0\" ip daddr 10.0.0.6 "
		"accept\n"
		"\t\tiifname \"ic0\" oifname \"lan0\" ip saddr 10.0.0.6 "
		"accept\n"
		"\t\tiifname \"ic0\" drop\n"
		"\t}\n"
		"}\n";
	static struct kernel_plan plan;
	struct kernel_closed closed = { { 2 }, 1, false };
	const struct kernel_closed none = { .all = false };
	char *text = kernel_nft_text(NULL, &plan, &none, &none, names);

	/* With nothing in the plan it only removes. */
	assert_non_null(strstr(text, "delete table arp samba_mirror\n"));
	assert_null(strchr(text, '{'));
	talloc_free(text);
	plan.silences[plan.num_silences++] = (struct kernel_silence){
		lab_address("10.0.0.5"), 1 };
	plan.forwards[plan.num_forwards++] = (struct kernel_forward){
		lab_address("10.0.0.6"), 1, 2 };
	text = kernel_nft_text(NULL, &plan, &closed, &none, names);
	assert_string_equal(strchr(text, '{') - strlen("table arp "
			    "samba_mirror "), expected);
	talloc_free(text);
	/* No way out of the quotation marks; no interface, no text. */
	plan.silences[0].interface = 3;
	assert_null(kernel_nft_text(NULL, &plan, &closed, &none, names));
	plan.silences[0].interface = 0;
	assert_null(kernel_nft_text(NULL, &plan, &closed, &none, names));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_filters),
		cmocka_unit_test(test_locked),
		cmocka_unit_test(test_disconnect),
		cmocka_unit_test(test_nft_text),
	};

	return cmocka_run_group_tests(tests, lab_up, lab_down);
}
