/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Doubly linked lists of structs with prev and next; NULL at both ends. */

#ifndef MIRRORD_DLINKLIST_H
#define MIRRORD_DLINKLIST_H

#define DLIST_ADD(list, p) do {						\
	(p)->prev = NULL;						\
	(p)->next = (list);						\
	if ((list) != NULL) {						\
		(list)->prev = (p);					\
	}								\
	(list) = (p);							\
} while (0)

#define DLIST_REMOVE(list, p) do {					\
	if ((p)->prev != NULL) {					\
		(p)->prev->next = (p)->next;				\
	} else {							\
		(list) = (p)->next;					\
	}								\
	if ((p)->next != NULL) {					\
		(p)->next->prev = (p)->prev;				\
	}								\
	(p)->prev = (p)->next = NULL;					\
} while (0)

#endif /* MIRRORD_DLINKLIST_H */
