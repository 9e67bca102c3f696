/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Clients that do sequences over SMB, each in a folder of its own:
 *
 *   crash_client ADDRESS SHARE FOLDER CLIENTS JOURNAL <SEQUENCES
 *
 * SEQUENCES has one in a line ("create_n,write_n"); number N is done in
 * FOLDER\cN of the share, by client N % CLIENTS, which does the first
 * operation of all its sequences, then the second ones ... The journal says
 * what a client knew at any time, in lines "I N K" (operation K of sequence N
 * is asked for) and "A N K ok|fails" (it was answered). Who loses its
 * connection ends.
 */

#include "includes.h"
#include "libsmb/libsmb.h"
#include <sys/wait.h>
#include "client.h"
#include "operations.h"

#define SEQUENCES_MAX 1024
#define TIMEOUT_MS 60000

static uint8_t sequences[SEQUENCES_MAX][OPERATIONS_MAX];
static uint8_t lengths[SEQUENCES_MAX];
static unsigned int count;

static bool read_sequences(void)
{
	char line[256];

	while (fgets(line, sizeof(line), stdin) != NULL) {
		char *rest = NULL;
		char *name;

		line[strcspn(line, "\n")] = '\0';
		if (count == SEQUENCES_MAX) {
			return false;
		}
		for (name = strtok_r(line, ",", &rest); name != NULL;
		     name = strtok_r(NULL, ",", &rest)) {
			unsigned int n = 0;

			while (n < OP_COUNT &&
			       strcmp(operation_number_name(n), name) != 0) {
				n++;
			}
			if (n == OP_COUNT ||
			    lengths[count] == OPERATIONS_MAX) {
				return false;
			}
			sequences[count][lengths[count]++] = (uint8_t)n;
		}
		count++;
	}
	return count > 0;
}

static struct cli_state *connect_to(const char *address, const char *share)
{
	struct cli_credentials *creds = NULL;
	struct cli_state *cli = NULL;
	NTSTATUS status;

	creds = cli_session_creds_init(NULL, "tester", "", NULL, "tester",
				       false, false, false, false);
	status = cli_full_connection_creds(&cli, "CRASH", address, NULL, 445,
					   share, "A:", creds, 0);
	if (!NT_STATUS_IS_OK(status)) {
		fprintf(stderr, "no connection: %s\n", nt_errstr(status));
		return NULL;
	}
	cli_set_timeout(cli, TIMEOUT_MS);
	return cli;
}

static int run_client(char **argv, unsigned int number, unsigned int clients,
		      int journal)
{
	TALLOC_CTX *frame = talloc_stackframe();
	struct cli_state *cli = connect_to(argv[1], argv[2]);
	unsigned int i, k;

	if (cli == NULL) {
		return 1;
	}
	for (k = 0; k < OPERATIONS_MAX; k++) {
		for (i = number; i < count; i += clients) {
			char folder[100];
			bool ok;

			if (k >= lengths[i]) {
				continue;
			}
			snprintf(folder, sizeof(folder), "%s\\c%u", argv[3],
				 i);
			dprintf(journal, "I %u %u\n", i, k + 1);
			ok = client_operation(cli, folder, sequences[i][k]);
			if (!cli_state_is_connected(cli)) {
				return 1;
			}
			dprintf(journal, "A %u %u %s\n", i, k + 1,
				ok ? "ok" : "fails");
		}
	}
	TALLOC_FREE(frame);
	return 0;
}

int main(int argc, char **argv)
{
	TALLOC_CTX *frame = talloc_stackframe();
	int journal, status, result = 0;
	unsigned int clients, i;

	if (argc != 6) {
		fprintf(stderr, "usage: crash_client ADDRESS SHARE FOLDER "
			"CLIENTS JOURNAL <SEQUENCES\n");
		return 2;
	}
	smb_init_locale();
	setup_logging("crash_client", DEBUG_STDERR);
	journal = open(argv[5], O_WRONLY | O_CREAT | O_APPEND, 0644);
	if (!lp_load_global("/dev/null") || !read_sequences() ||
	    journal == -1) {
		fprintf(stderr, "crash_client: cannot start\n");
		return 1;
	}
	clients = (unsigned int)atoi(argv[4]);
	for (i = 0; i < clients; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			_exit(run_client(argv, i, clients, journal));
		}
	}
	while (wait(&status) > 0) {
		result |= status;
	}
	TALLOC_FREE(frame);
	return result == 0 ? 0 : 1;
}
