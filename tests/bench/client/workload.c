/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See workload.h. */

#include "includes.h"
#include "client_process.h"
#include "steps.h"
#include "workload.h"

#define DATA(name, help, size, action, batch, prepare) \
	{ name, help, false, 65536, (size) * MIB, action, batch, prepare, \
	  finish_file }
#define NAMES(name, help, size, action, batch, prepare) \
	{ name, help, true, size, 0, action, batch, prepare, NULL }
#define ACTION(steps, choose) { steps, choose }

const struct workload workloads[] = {
	DATA("write-sequential", "append to a fresh file; at its full size "
	     "a new one", 256,
	     ACTION(write_steps, choose_sequential), batch_file,
	     prepare_fresh_file),
	DATA("write-random", "overwrite parts of a file at 4k boundaries", 64,
	     ACTION(write_steps, choose_random), NULL, prepare_written_file),
	DATA("read-sequential", "read a file again and again", 64,
	     ACTION(read_steps, choose_sequential), NULL,
	     prepare_written_file),
	DATA("read-random", "read parts of a file at 4k boundaries", 64,
	     ACTION(read_steps, choose_random), NULL, prepare_written_file),

	/* As a program on the client asks for it: open, change, close. */
	NAMES("create", "create a file, write 4k, close it", BLOCK,
	      ACTION(create_steps, choose_name_of_batch), batch_names,
	      prepare_directories),
	NAMES("open-close", "open one of a few files, close it", 0,
	      ACTION(open_close_steps, choose_one_of_few), NULL, prepare_few),
	NAMES("rename", "rename a file in its directory, to and fro", 0,
	      ACTION(rename_steps, choose_name_of_slot), NULL,
	      prepare_file_of_slot),
	NAMES("unlink", "remove a file of 4k", 0,
	      ACTION(unlink_steps, choose_name_of_batch), batch_names,
	      prepare_batch),
	NAMES("mkdir", "make a directory", 0,
	      ACTION(mkdir_steps, choose_name_of_batch), batch_names,
	      prepare_directories),
	NAMES("set-attributes", "set times and DOS attributes of a file", 0,
	      ACTION(set_attributes_steps, choose_one_of_few), NULL,
	      prepare_few),
	NAMES("set-acl", "set the access control list of a file", 0,
	      ACTION(set_acl_steps, choose_one_of_few), NULL,
	      prepare_for_acls),
	NAMES("list", "list a directory of 100 files", 0,
	      ACTION(list_steps, choose_directory), NULL, prepare_listed),
	NAMES("tree", "copy in a file of 0.5k to 64k, every 20th is a "
	      "directory", 65536,
	      ACTION(tree_file_steps, choose_next_of_tree), batch_names,
	      NULL),
	{ "hold", "keep -f files open, read 4k of one of them", true, BLOCK,
	  0, ACTION(read_steps, choose_held), NULL, prepare_held,
	  finish_held },
	{ .name = NULL },
};
