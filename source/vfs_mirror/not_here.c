/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A share whose service lives elsewhere: the client is told that there is no
 * such share here (NT_STATUS_BAD_NETWORK_NAME), and goes to the right name.
 *
 * Owns: which address belongs to which share; what smbd sees of a share that
 * is not here: no path.
 * Does not own: where a volume is (the state page, vfs_mirror.c).
 *
 * A share is one service's, also while two services live on one node: a client
 * that found MEDIA's share at the address of FILES would lose it with the next
 * move. Addresses of no service (the node's own) show what the node serves.
 */

#include "includes.h"
#include "smbd/smbd.h"
#include "smbd/globals.h"
#include "lib/tsocket/tsocket.h"
#include "mirror_share.h"

/*
 * Connect has to succeed first, and what follows must not do anything: no
 * scripts that make folders where the volume would be mounted. Processes that
 * have no client (RPC) do not look at the path.
 */
bool not_here_can_tell(struct vfs_handle_struct *handle)
{
	const struct loadparm_substitution *lp_sub =
		loadparm_s3_global_substitution();
	int snum = SNUM(handle->conn);

	return handle->conn->sconn != NULL &&
		handle->conn->sconn->client != NULL &&
		lp_preexec(talloc_tos(), lp_sub, snum)[0] == '\0' &&
		lp_root_preexec(talloc_tos(), lp_sub, snum)[0] == '\0';
}

const char *not_here_by_address(struct vfs_handle_struct *handle,
				const struct mirror_config *config,
				const struct config_service *service)
{
	const struct smbd_server_connection *sconn = handle->conn->sconn;
	const struct config_service *other;
	const char *address;

	if (sconn == NULL || sconn->client == NULL ||
	    sconn->local_address == NULL ||
	    !tsocket_address_is_inet(sconn->local_address, "ip")) {
		return NULL;
	}
	address = tsocket_address_inet_addr_string(sconn->local_address,
						   talloc_tos());
	other = address != NULL ? config_service_by_address(config, address) :
		NULL;
	if (other == NULL || other == service) {
		return NULL;
	}
	return talloc_asprintf(talloc_tos(), "it belongs to service %s, and "
			       "%s is an address of service %s",
			       service->name, address, other->name);
}

struct smb_filename *mirror_realpath(struct vfs_handle_struct *handle,
				     TALLOC_CTX *ctx,
				     const struct smb_filename *smb_fname)
{
	if (mirror_share(handle)->not_here) {
		errno = ENOENT;
		return NULL;
	}
	return SMB_VFS_NEXT_REALPATH(handle, ctx, smb_fname);
}
