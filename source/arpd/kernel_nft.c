/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * nftables: what is forwarded, what is not said, what is said twice, see
 * kernel.h.
 *
 * arpd's own frames come from packet sockets, which these hooks do not see.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "../common/event_log.h"
#include "kernel.h"

#define NFT_TIMEOUT_MS 5000

struct text {
	char *buffer;	/* NULL: no memory */
	kernel_name name;
	bool bad_name;
};

static void add(struct text *text, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void add(struct text *text, const char *format, ...)
{
	va_list ap;

	if (text->buffer != NULL) {
		va_start(ap, format);
		text->buffer = talloc_vasprintf_append_buffer(text->buffer,
							      format, ap);
		va_end(ap);
	}
}

/* A quotation mark in a name would end it. */
static bool is_sane(const char *name)
{
	for (; *name != '\0'; name++) {
		if (*name <= ' ' || *name == '"' || *name == '\\' ||
		    *name == '*' || *name > '~') {
			return false;
		}
	}
	return true;
}

static void add_interface(struct text *text, const char *keyword,
			  uint32_t interface)
{
	char buffer[NET_NAME_SIZE];
	const char *name = text->name(interface, buffer);

	if (name == NULL || !is_sane(name)) {
		text->bad_name = true;
		return;
	}
	add(text, "%s \"%s\" ", keyword, name);
}

static void add_address(struct text *text, const char *keyword,
			const struct net_address *address)
{
	char host[INET6_ADDRSTRLEN] = "";

	inet_ntop(address->family, address->bytes, host, sizeof(host));
	add(text, "%s %s ", keyword, host);
}

static void begin_chain(struct text *text, const char *name)
{
	add(text, "\tchain %s {\n"
	    "\t\ttype filter hook %s priority 0; policy accept;\n",
	    name, name);
}

/* ----------------------------------------------------------------- silence */

static void add_arp(struct text *text, const struct kernel_plan *plan)
{
	uint32_t i;

	add(text, "table arp " ARPD_NFT_TABLE " {\n");
	begin_chain(text, "output");
	for (i = 0; i < plan->num_silences; i++) {
		const struct kernel_silence *row = &plan->silences[i];

		if (row->address.family != AF_INET) {
			continue;
		}
		/* The sender's address: in requests and in replies. */
		add(text, "\t\t");
		add_interface(text, "oifname", row->interface);
		add_address(text, "arp saddr ip", &row->address);
		add(text, "drop\n");
	}
	add(text, "\t}\n}\n");
}

static void add_silence_ipv6(struct text *text,
			     const struct kernel_silence *row)
{
	uint32_t i;

	add(text, "\t\t");
	add_interface(text, "oifname", row->interface);
	/* The target follows after eight bytes; nft 1.0.6 has no name for
	 * it. */
	add(text, "icmpv6 type nd-neighbor-advert @th,64,128 0x");
	for (i = 0; i < sizeof(row->address.bytes); i++) {
		add(text, "%02x", row->address.bytes[i]);
	}
	add(text, " drop\n\t\t");
	add_interface(text, "oifname", row->interface);
	add_address(text, "icmpv6 type nd-neighbor-solicit ip6 saddr",
		    &row->address);
	add(text, "drop\n");
}

/* ----------------------------------------------------- doubles and forwards */

static void add_double(struct text *text, const struct kernel_double *row)
{
	bool ipv6 = row->address.family == AF_INET6;

	add(text, "\t\t");
	add_interface(text, "oifname", row->interface);
	add_address(text, ipv6 ? "ip6 saddr" : "ip saddr", &row->address);
	add(text, ipv6 ? "ip6 daddr != ff00::/8 " :
	    "ip daddr != { 224.0.0.0/4, 255.255.255.255 } ");
	add_address(text, "dup to", &row->gateway);
	add_interface(text, "device", row->other);
	add(text, "\n");
}

static void add_forward(struct text *text, const struct kernel_forward *row)
{
	const char *ip = row->address.family == AF_INET6 ? "ip6" : "ip";

	add(text, "\t\t");
	add_interface(text, "iifname", row->outside);
	add_interface(text, "oifname", row->inside);
	add(text, "%s ", ip);
	add_address(text, "daddr", &row->address);
	add(text, "accept\n\t\t");
	add_interface(text, "iifname", row->inside);
	add_interface(text, "oifname", row->outside);
	add(text, "%s ", ip);
	add_address(text, "saddr", &row->address);
	add(text, "accept\n");
}

static void add_closed(struct text *text, const struct kernel_closed *closed)
{
	uint32_t i;

	if (closed->all) {
		add(text, "\t\tdrop\n");
		return;
	}
	for (i = 0; i < closed->num_interfaces; i++) {
		add(text, "\t\t");
		add_interface(text, "iifname", closed->interfaces[i]);
		add(text, "drop\n");
	}
}

static void add_ip(struct text *text, uint8_t family,
		   const struct kernel_plan *plan,
		   const struct kernel_closed *closed)
{
	uint32_t i;

	add(text, "table %s " ARPD_NFT_TABLE " {\n",
	    family == AF_INET6 ? "ip6" : "ip");
	begin_chain(text, "output");
	for (i = 0; i < plan->num_silences; i++) {
		if (family == AF_INET6 &&
		    plan->silences[i].address.family == family) {
			add_silence_ipv6(text, &plan->silences[i]);
		}
	}
	if (family == AF_INET6 && plan->num_doubles != 0) {
		/* A neighbour message belongs to one network. */
		add(text, "\t\ticmpv6 type { nd-neighbor-solicit, "
		    "nd-neighbor-advert } accept\n");
	}
	for (i = 0; i < plan->num_doubles; i++) {
		if (plan->doubles[i].address.family == family) {
			add_double(text, &plan->doubles[i]);
		}
	}
	add(text, "\t}\n");
	begin_chain(text, "forward");
	for (i = 0; i < plan->num_forwards; i++) {
		if (plan->forwards[i].address.family == family) {
			add_forward(text, &plan->forwards[i]);
		}
	}
	add_closed(text, closed);
	add(text, "\t}\n}\n");
}

/* Does the family need a table at all? */
static bool is_needed(const struct kernel_plan *plan, uint8_t family,
		      bool arp, const struct kernel_closed *closed)
{
	uint32_t i;

	for (i = 0; i < plan->num_silences; i++) {
		if (plan->silences[i].address.family == family &&
		    (arp || family == AF_INET6)) {
			return true;
		}
	}
	if (arp) {
		return false;
	}
	for (i = 0; i < plan->num_doubles; i++) {
		if (plan->doubles[i].address.family == family) {
			return true;
		}
	}
	for (i = 0; i < plan->num_forwards; i++) {
		if (plan->forwards[i].address.family == family) {
			return true;
		}
	}
	return closed->all || closed->num_interfaces != 0;
}

char *kernel_nft_text(TALLOC_CTX *mem_ctx,
		      const struct kernel_plan *plan,
		      const struct kernel_closed *ipv4,
		      const struct kernel_closed *ipv6,
		      kernel_name name)
{
	struct text text = { .name = name };

	/* To delete what may not be there, it is made first. */
	text.buffer = talloc_strdup(
		mem_ctx,
		"table arp " ARPD_NFT_TABLE "\n"
		"delete table arp " ARPD_NFT_TABLE "\n"
		"table ip " ARPD_NFT_TABLE "\n"
		"delete table ip " ARPD_NFT_TABLE "\n"
		"table ip6 " ARPD_NFT_TABLE "\n"
		"delete table ip6 " ARPD_NFT_TABLE "\n");
	if (is_needed(plan, AF_INET, true, ipv4)) {
		add_arp(&text, plan);
	}
	if (is_needed(plan, AF_INET, false, ipv4)) {
		add_ip(&text, AF_INET, plan, ipv4);
	}
	if (is_needed(plan, AF_INET6, false, ipv6)) {
		add_ip(&text, AF_INET6, plan, ipv6);
	}
	if (text.bad_name) {
		TALLOC_FREE(text.buffer);
	}
	return text.buffer;
}

/* ----------------------------------------------------------------- running */

static void nft_child(int in, int out)
{
	char *const argv[] = { (char *)(uintptr_t)"nft",
			       (char *)(uintptr_t)"-f",
			       (char *)(uintptr_t)"-", NULL };
	char *const environment[] = {
		(char *)(uintptr_t)"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
		(char *)(uintptr_t)"LC_ALL=C", NULL };
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	execve("/usr/sbin/nft", argv, environment);
	_exit(127);
}

/* What nft says, until it ends; false: it takes too long. */
static bool read_output(int fd, char *output, size_t size)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	size_t used = 0;

	for (;;) {
		char buffer[512];
		int ready = poll(&pollfd, 1, NFT_TIMEOUT_MS);
		ssize_t n;

		if (ready == -1 && errno == EINTR) {
			continue;
		}
		if (ready <= 0) {
			return false;
		}
		n = read(fd, buffer, sizeof(buffer));
		if (n <= 0) {
			output[used] = '\0';
			return true;
		}
		if ((size_t)n > size - 1 - used) {
			n = (ssize_t)(size - 1 - used);
		}
		memcpy(output + used, buffer, n);
		used += n;
	}
}

/* The text is in a file of its own: a pipe might be too small for it. */
static int text_file(const char *text)
{
	int fd = memfd_create("nft", MFD_CLOEXEC);
	size_t length = strlen(text);

	if (fd != -1 && (write(fd, text, length) != (ssize_t)length ||
			 lseek(fd, 0, SEEK_SET) == -1)) {
		close(fd);
		return -1;
	}
	return fd;
}

static int nft_run(const char *text, char *output, size_t size)
{
	int fds[2], status = 0;
	int in = text_file(text);
	bool ended;
	pid_t pid;

	output[0] = '\0';
	if (in == -1 || pipe2(fds, O_CLOEXEC) == -1) {
		int ret = errno;

		if (in != -1) {
			close(in);
		}
		return ret;
	}
	pid = fork();
	if (pid == 0) {
		nft_child(in, fds[1]);
	}
	close(in);
	close(fds[1]);
	ended = pid != -1 && read_output(fds[0], output, size);
	close(fds[0]);
	if (pid == -1) {
		return EAGAIN;
	}
	if (!ended) {
		kill(pid, SIGKILL);
	}
	while (waitpid(pid, &status, 0) == -1 && errno == EINTR) {
		;
	}
	if (!ended) {
		return ETIMEDOUT;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
		return ENOENT;
	}
	return status == 0 ? 0 : EIO;
}

static const char *kernel_interface_name(uint32_t interface,
					 char name[NET_NAME_SIZE])
{
	return if_indextoname(interface, name);
}

int kernel_nft_apply(struct kernel *kernel, const struct kernel_plan *plan,
		     const struct kernel_closed *ipv4,
		     const struct kernel_closed *ipv6)
{
	char output[1024];
	char *text = kernel_nft_text(kernel, plan, ipv4, ipv6,
				     kernel_interface_name);
	bool is_empty;
	int ret;

	if (text == NULL) {
		return ENODEV;
	}
	if (kernel->nft != NULL && strcmp(kernel->nft, text) == 0) {
		talloc_free(text);
		return 0;
	}
	is_empty = strchr(text, '{') == NULL;
	ret = nft_run(text, output, sizeof(output));
	if (ret == ENOENT && is_empty && kernel->nft == NULL) {
		/* Where there is no nft, there are no tables either. */
		ret = 0;
	}
	if (ret != 0) {
		event_log_once(EVENT_NETWORK_REFUSED, "nft",
			       "nft: %s: %s", strerror(ret), output);
		talloc_free(text);
		return ret;
	}
	talloc_free(kernel->nft);
	kernel->nft = text;
	return 0;
}
