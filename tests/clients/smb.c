/* A client's connection: see smb.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <talloc.h>
#include <libsmbclient.h>
#include "smb.h"

#define HIDDEN_AND_SYSTEM 6
#define URL_LENGTH 512

static const struct smb *current;	/* libsmbclient asks by callback */

static void credentials(SMBCCTX *context, const char *server,
			const char *share, char *workgroup, int workgroup_size,
			char *user, int user_size, char *password,
			int password_size)
{
	snprintf(user, user_size, "%s", current->user);
	snprintf(password, password_size, "%s", current->password);
}

/* An IPv6 address in a URL of libsmbclient is written as Windows does. */
static void url(const struct smb *smb, const char *path, char buffer[])
{
	bool ipv6 = strchr(smb->server, ':') != NULL;
	char host[128], *c = NULL;

	snprintf(host, sizeof(host), "%s%s", smb->server,
		 ipv6 ? ".ipv6-literal.net" : "");
	for (c = host; *c != '\0'; c++) {
		*c = *c == ':' ? '-' : *c;
	}
	snprintf(buffer, URL_LENGTH, "smb://%s/%s/%s%s", host, smb->share,
		 smb->directory, path);
}

/*
 * Does anybody listen? A connect() of libsmbclient to an address that is just
 * moving would hang for seconds in the back-off of SYN.
 */
static bool listening(const char *server)
{
	struct addrinfo hints = {
		.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM,
	};
	struct addrinfo *ai = NULL;
	struct linger reset = { .l_onoff = 1 };
	struct pollfd p = { .events = POLLOUT };
	int error = 0;
	socklen_t length = sizeof(error);
	bool ok = false;

	if (getaddrinfo(server, "445", &hints, &ai) != 0) {
		return true;	/* a name: leave it to the library */
	}
	p.fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (p.fd == -1) {
		freeaddrinfo(ai);
		return false;
	}
	setsockopt(p.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	if (connect(p.fd, ai->ai_addr, ai->ai_addrlen) == 0 ||
	    errno == EINPROGRESS) {
		ok = poll(&p, 1, 100) == 1 &&
		     getsockopt(p.fd, SOL_SOCKET, SO_ERROR, &error,
				&length) == 0 && error == 0;
	}
	close(p.fd);
	freeaddrinfo(ai);
	return ok;
}

/* The port number at one end of a socket; 0: it has none. */
static int port_of(int fd, int (*name)(int, struct sockaddr *, socklen_t *))
{
	struct sockaddr_in6 sa = { 0 };
	socklen_t length = sizeof(sa);

	if (name(fd, (struct sockaddr *)&sa, &length) != 0) {
		return 0;
	}
	/* in the same place in both families */
	return sa.sin6_family == AF_INET || sa.sin6_family == AF_INET6 ?
	       ntohs(sa.sin6_port) : 0;
}

static bool is_connection(int fd)
{
	int port = port_of(fd, getpeername);

	return port == 445 || port == 139;
}

int smb_local_port(void)
{
	int fd, port = 0;

	for (fd = 3; fd < 64; fd++) {
		if (is_connection(fd)) {
			/* more than one is none that can be told */
			port = port == 0 ? port_of(fd, getsockname) : -1;
		}
	}
	return port;
}

void smb_keepalive(int seconds)
{
	int fd, on = 1, interval = 1, count = 127;

	for (fd = 3; fd < 64; fd++) {
		if (!is_connection(fd)) {
			continue;
		}
		setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds,
			   sizeof(seconds));
		setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval,
			   sizeof(interval));
		setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count,
			   sizeof(count));
		setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	}
}

/*
 * Freeing a context says goodbye to its servers and waits for an answer. Of a
 * dead one there is none, so hang up first.
 */
static void hang_up(void)
{
	int fd;

	for (fd = 3; fd < 256; fd++) {
		if (is_connection(fd)) {
			shutdown(fd, SHUT_RDWR);
		}
	}
}

void smb_disconnect(struct smb *smb)
{
	if (smb->context != NULL) {
		hang_up();
		smbc_set_context(NULL);
		smbc_free_context(smb->context, 1);
		smb->context = NULL;
	}
}

static bool connect_once(struct smb *smb)
{
	struct smb root = *smb;
	char share[URL_LENGTH];
	int fd;

	if (!listening(smb->server)) {
		return false;
	}
	smb->context = smbc_new_context();
	if (smb->context == NULL) {
		return false;
	}
	root.directory = "";
	current = smb;
	smbc_setDebug(smb->context, 0);
	smbc_setTimeout(smb->context, smb->timeout);
	smbc_setFunctionAuthDataWithContext(smb->context, credentials);
	smbc_setOptionNoAutoAnonymousLogin(smb->context, 1);
	smbc_setOptionProtocols(smb->context, "SMB2_02", "SMB3");
	if (smbc_init_context(smb->context) == NULL) {
		smbc_free_context(smb->context, 1);
		smb->context = NULL;
		return false;
	}
	smbc_set_context(smb->context);
	url(&root, "", share);
	fd = smbc_opendir(share);
	if (fd < 0) {
		smb_disconnect(smb);
		return false;
	}
	smbc_closedir(fd);
	return true;
}

bool smb_connect(struct smb *smb, double deadline, volatile int *stop)
{
	smb_disconnect(smb);
	while (!connect_once(smb)) {
		if (now() > deadline || (stop != NULL && *stop > 1)) {
			errno = ETIMEDOUT;
			return false;
		}
		poll(NULL, 0, 10);	/* refused at once: do not spin */
	}
	return true;
}

struct entry *smb_list(struct smb *smb, void *mem_ctx, const char *path)
{
	struct entry *entries = talloc_array(mem_ctx, struct entry, 0);
	const struct libsmb_file_info *info = NULL;
	char dir[URL_LENGTH];
	size_t n = 0;
	int fd;

	url(smb, path, dir);
	fd = smbc_opendir(dir);
	if (fd < 0) {
		return NULL;
	}
	while ((info = smbc_readdirplus(fd)) != NULL) {
		struct entry *e = NULL;

		if (strcmp(info->name, ".") == 0 ||
		    strcmp(info->name, "..") == 0) {
			continue;
		}
		entries = talloc_realloc(mem_ctx, entries, struct entry, n + 1);
		e = &entries[n++];
		snprintf(e->name, sizeof(e->name), "%s", info->name);
		e->is_dir = (info->attrs & SMBC_DOS_MODE_DIRECTORY) != 0;
		e->attributes = info->attrs & HIDDEN_AND_SYSTEM;
		e->size = info->size;
		e->time = info->mtime_ts.tv_sec;
	}
	smbc_closedir(fd);
	return entries;
}

ssize_t smb_read(struct smb *smb, const char *path, uint64_t offset,
		 uint8_t *buffer, size_t length)
{
	char file[URL_LENGTH];
	size_t done = 0;
	ssize_t n = 0;
	int fd;

	url(smb, path, file);
	fd = smbc_open(file, O_RDONLY, 0);
	if (fd < 0) {
		return -1;
	}
	if (smbc_lseek(fd, offset, SEEK_SET) == -1) {
		n = -1;
	}
	while (n >= 0 && done < length) {
		n = smbc_read(fd, buffer + done, length - done);
		if (n == 0) {
			break;
		}
		done += n > 0 ? n : 0;
	}
	smbc_close(fd);
	return n < 0 ? -1 : (ssize_t)done;
}

int smb_open(struct smb *smb, const char *path, int flags)
{
	char file[URL_LENGTH];

	url(smb, path, file);
	return smbc_open(file, flags, 0644);
}

static bool change_file(const char *file, const struct model *m,
			const struct op *op)
{
	uint8_t *buffer = NULL;
	size_t done = 0;
	ssize_t n = 0;
	int saved, fd = smbc_open(file, O_WRONLY, 0);

	if (fd < 0) {
		return false;
	}
	if (op->type == OP_TRUNCATE) {
		n = smbc_ftruncate(fd, op->length);
	} else {
		buffer = talloc_array(NULL, uint8_t, op->length);
		content(m->seed, op->id, 0, buffer, op->length);
		n = smbc_lseek(fd, op->offset, SEEK_SET) == -1 ? -1 : 0;
		while (n >= 0 && done < op->length) {
			n = smbc_write(fd, buffer + done, op->length - done);
			done += n > 0 ? n : 0;
		}
		talloc_free(buffer);
	}
	saved = errno;
	smbc_close(fd);		/* what was acknowledged stays so */
	errno = saved;
	return n >= 0;
}

bool smb_perform(struct smb *smb, const struct model *m, const struct op *op)
{
	char a[URL_LENGTH], b[URL_LENGTH], mode[16];
	struct timeval t[2] = {{ 0 }};
	int fd;

	url(smb, op->path, a);
	url(smb, op->path2, b);
	switch (op->type) {
	case OP_CREATE:
		fd = smbc_open(a, O_CREAT | O_EXCL | O_WRONLY, 0644);
		if (fd >= 0) {
			smbc_close(fd);
		}
		return fd >= 0;
	case OP_WRITE:
	case OP_TRUNCATE:
		return change_file(a, m, op);
	case OP_RENAME:
	case OP_REPLACE:
		return smbc_rename(a, b) == 0;
	case OP_UNLINK:
		return smbc_unlink(a) == 0;
	case OP_MKDIR:
		return smbc_mkdir(a, 0755) == 0;
	case OP_RMDIR:
		return smbc_rmdir(a) == 0;
	case OP_ATTRIBUTES:
		snprintf(mode, sizeof(mode), "0x%x",
			 (unsigned)op->length | SMBC_DOS_MODE_ARCHIVE);
		return smbc_setxattr(a, "system.dos_attr.mode", mode,
				     strlen(mode), 0) == 0;
	case OP_TIME:
		t[0].tv_sec = t[1].tv_sec = op->length;
		return smbc_utimes(a, t) == 0;
	default:
		errno = EINVAL;
		return false;
	}
}

/* Look a path up. false: could not look. */
static bool lookup(struct smb *smb, const char *path, struct entry *entry,
		   bool *exists)
{
	const char *name = strrchr(path, '/') + 1;
	struct entry *list = NULL;
	char dir[PATH_LENGTH];
	size_t i;

	*exists = false;
	snprintf(dir, sizeof(dir), "%.*s", (int)(name - 1 - path), path);
	list = smb_list(smb, NULL, dir);
	if (list == NULL) {
		return errno == ENOENT || errno == ENOTDIR;
	}
	for (i = 0; i < talloc_array_length(list); i++) {
		if (strcmp(list[i].name, name) == 0) {
			*entry = list[i];
			*exists = true;
		}
	}
	talloc_free(list);
	return true;
}

/* Which of its bytes did a write in doubt change? */
static bool observe_write(struct smb *smb, struct model *m,
			  const struct op *op, uint64_t size,
			  enum verdict *verdict)
{
	struct object *file = model_find(m, op->path);
	uint8_t *is = talloc_array(NULL, uint8_t, op->length);
	uint8_t *before = talloc_array(is, uint8_t, op->length);
	uint8_t *after = talloc_array(is, uint8_t, op->length);
	uint64_t end = op->offset + op->length;
	bool all_before = true, all_after = true, other = false;
	uint64_t old_size, new_size;
	ssize_t i, n;

	*verdict = NEITHER;
	if (file == NULL) {
		talloc_free(is);
		return true;
	}
	n = smb_read(smb, op->path, op->offset, is, op->length);
	if (n == -1) {
		talloc_free(is);
		return false;
	}
	old_size = file->size;
	new_size = end > old_size ? end : old_size;
	model_fill(m, file, op->offset, before, op->length);
	content(m->seed, op->id, 0, after, op->length);
	for (i = 0; i < n; i++) {
		all_before = all_before && is[i] == before[i];
		all_after = all_after && is[i] == after[i];
		other = other || (is[i] != before[i] && is[i] != after[i]);
	}
	if (size == new_size && all_after) {
		*verdict = DONE;
	} else if (size == old_size && all_before) {
		*verdict = NOT_DONE;
	} else if (size >= old_size && size <= new_size && !other) {
		*verdict = MIXED;
	}
	talloc_free(is);
	return true;
}

bool smb_observe(struct smb *smb, struct model *m, const struct op *op,
		 enum verdict *verdict)
{
	const struct object *o = model_find(m, op->path);
	struct entry e, e2;
	bool exists, exists2 = false, ok;

	ok = lookup(smb, op->path, &e, &exists);
	if (ok && (op->type == OP_RENAME || op->type == OP_REPLACE)) {
		ok = lookup(smb, op->path2, &e2, &exists2);
	}
	if (!ok) {
		return false;
	}
	*verdict = NEITHER;
	switch (op->type) {
	case OP_CREATE:
	case OP_MKDIR:
		*verdict = exists ? DONE : NOT_DONE;
		return true;
	case OP_UNLINK:
	case OP_RMDIR:
		*verdict = exists ? NOT_DONE : DONE;
		return true;
	case OP_RENAME:
		if (exists != exists2) {
			*verdict = exists2 ? DONE : NOT_DONE;
		}
		return true;
	case OP_REPLACE:
		/*
		 * libsmbclient deletes the target and renames then, so there
		 * is a state between.
		 */
		if (exists || exists2) {
			*verdict = !exists ? DONE :
				   exists2 ? NOT_DONE : HALF_DONE;
		}
		return true;
	default:
		break;
	}
	if (!exists || o == NULL) {
		return true;
	}
	switch (op->type) {
	case OP_WRITE:
		return observe_write(smb, m, op, e.size, verdict);
	case OP_TRUNCATE:
		if (e.size == op->length) {
			*verdict = DONE;
		} else if (e.size == o->size) {
			*verdict = NOT_DONE;
		}
		return true;
	case OP_ATTRIBUTES:
		*verdict = e.attributes == op->length ? DONE : NOT_DONE;
		return true;
	case OP_TIME:
		*verdict = e.time == op->length && e.attributes == 0 ? DONE :
			   NOT_DONE;
		return true;
	default:
		return true;
	}
}
