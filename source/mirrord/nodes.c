/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The nodes of the cluster, see nodes.h. */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <errno.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <string.h>
#include "nodes.h"

static bool parse_address(const char *text,
			  uint16_t port,
			  struct sockaddr_storage *ss)
{
	struct sockaddr_in *in = (struct sockaddr_in *)ss;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ss;

	*ss = (struct sockaddr_storage){ .ss_family = AF_UNSPEC };
	if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		return true;
	}
	if (inet_pton(AF_INET6, text, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		return true;
	}
	return false;
}

static bool same_address(const struct sockaddr_storage *a,
			 const struct sockaddr *b)
{
	if (a->ss_family != b->sa_family) {
		return false;
	}
	if (b->sa_family == AF_INET) {
		return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
			((const struct sockaddr_in *)b)->sin_addr.s_addr;
	}
	return memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr,
		      &((const struct sockaddr_in6 *)b)->sin6_addr,
		      sizeof(struct in6_addr)) == 0;
}

static bool is_ours(const struct ifaddrs *interfaces,
		    const struct sockaddr_storage *ss)
{
	for (; interfaces != NULL; interfaces = interfaces->ifa_next) {
		const struct sockaddr *sa = interfaces->ifa_addr;

		if (sa != NULL &&
		    (sa->sa_family == AF_INET || sa->sa_family == AF_INET6) &&
		    same_address(ss, sa)) {
			return true;
		}
	}
	return false;
}

static int read_lines(struct nodes *nodes,
		      FILE *file,
		      const char *path,
		      uint16_t port,
		      char **problem)
{
	char line[256];

	while (fgets(line, sizeof(line), file) != NULL) {
		char *text = line + strspn(line, " \t");
		struct node *node;

		text[strcspn(text, " \t\r\n")] = '\0';
		if (text[0] == '\0') {
			continue;
		}
		if (nodes->count == NODES_MAX) {
			*problem = talloc_asprintf(
				talloc_parent(nodes),
				"%s: more than %d nodes", path, NODES_MAX);
			return E2BIG;
		}
		node = &nodes->node[nodes->count++];
		/* ctdb: a node that is gone keeps its number. */
		node->used = text[0] != '#';
		if (node->used && !parse_address(text, port, &node->address)) {
			*problem = talloc_asprintf(
				talloc_parent(nodes),
				"%s: `%s' is not an IP address", path, text);
			return EINVAL;
		}
		node->name = talloc_strdup(nodes, text);
		if (node->name == NULL) {
			return ENOMEM;
		}
	}
	return 0;
}

int nodes_read(TALLOC_CTX *mem_ctx,
	       const char *path,
	       uint16_t port,
	       struct nodes **_nodes,
	       char **problem)
{
	struct nodes *nodes = talloc_zero(mem_ctx, struct nodes);
	struct ifaddrs *interfaces = NULL;
	FILE *file;
	uint32_t i;
	int ret;

	*problem = NULL;
	if (nodes == NULL) {
		return ENOMEM;
	}
	file = fopen(path, "re");
	if (file == NULL) {
		ret = errno;
		*problem = talloc_asprintf(mem_ctx, "%s: %s", path,
					   strerror(ret));
		goto fail;
	}
	ret = read_lines(nodes, file, path, port, problem);
	fclose(file);
	if (ret != 0) {
		goto fail;
	}
	if (getifaddrs(&interfaces) == -1) {
		ret = errno;
		goto fail;
	}
	for (i = 0; i < nodes->count; i++) {
		if (nodes->node[i].used &&
		    is_ours(interfaces, &nodes->node[i].address)) {
			break;
		}
	}
	freeifaddrs(interfaces);
	if (i == nodes->count) {
		*problem = talloc_asprintf(mem_ctx,
			"%s: none of its addresses is one of this machine",
			path);
		ret = EADDRNOTAVAIL;
		goto fail;
	}
	nodes->own = i;
	*_nodes = nodes;
	return 0;

fail:
	talloc_free(nodes);
	return ret;
}

int nodes_find(const struct nodes *nodes, const struct sockaddr_storage *ss)
{
	uint32_t i;

	for (i = 0; i < nodes->count; i++) {
		if (nodes->node[i].used &&
		    same_address(&nodes->node[i].address,
				 (const struct sockaddr *)ss)) {
			return (int)i;
		}
	}
	return -1;
}
