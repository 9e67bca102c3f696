/* A client's connection, and what it can see of an operation in doubt. */
#ifndef SMB_H
#define SMB_H

#include "model.h"

struct smb {
	const char *server;	/* name or address */
	const char *share;
	const char *directory;	/* all paths are below it */
	const char *user;
	const char *password;
	int timeout;		/* of one request, in ms */
	struct _SMBCCTX *context;
};

struct entry {
	char name[64];
	bool is_dir;
	uint64_t size;
	uint32_t attributes;	/* hidden and system bits */
	uint64_t time;
};

/* A fresh connection, tried again until deadline. */
bool smb_connect(struct smb *smb, double deadline, volatile int *stop);
void smb_disconnect(struct smb *smb);
/*
 * Our port of the TCP connection to a server: as long as it is the same, it is
 * the same connection. 0: there is none; -1: there are several.
 */
int smb_local_port(void);
/*
 * Ask the server whether it is still there when the connection was idle for so
 * many seconds, and every second then, however long it does not answer.
 */
void smb_keepalive(int seconds);
/* A descriptor for smbc_read() etc. */
int smb_open(struct smb *smb, const char *path, int flags);
/* Do it. false: errno says why, and it may or may not have happened. */
bool smb_perform(struct smb *smb, const struct model *m, const struct op *op);
/* Entries of a directory, a talloc array; NULL with errno. */
struct entry *smb_list(struct smb *smb, void *mem_ctx, const char *path);
/* Number of bytes read, -1 on error. */
ssize_t smb_read(struct smb *smb, const char *path, uint64_t offset,
		 uint8_t *buffer, size_t length);
/* false: could not look (the connection). */
bool smb_observe(struct smb *smb, struct model *m, const struct op *op,
		 enum verdict *verdict);

#endif
