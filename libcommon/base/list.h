#ifndef SKEIN_BASE_LIST_H
#define SKEIN_BASE_LIST_H

#include <stdbool.h>

#include "base/macros.h"

/*
 * A circular doubly linked list of links that are embedded in the items; the
 * head is a link, too. All operations are O(1). A link is in at most one list.
 * list_remove() lets it point at itself, so removing it twice is safe.
 */
struct list {
	struct list *prev, *next;
};

static inline void list_init(struct list *list)
{
	list->prev = list->next = list;
}

static inline bool list_is_empty(const struct list *list)
{
	return list->next == list;
}

static inline void list_insert_before(struct list *at, struct list *link)
{
	link->prev = at->prev;
	link->next = at;
	at->prev->next = link;
	at->prev = link;
}

static inline void list_push_back(struct list *head, struct list *link)
{
	list_insert_before(head, link);
}

static inline void list_push_front(struct list *head, struct list *link)
{
	list_insert_before(head->next, link);
}

static inline void list_remove(struct list *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
	list_init(link);
}

/* Takes out the first link; NULL if the list is empty. */
static inline struct list *list_pop_front(struct list *head)
{
	if (list_is_empty(head))
		return NULL;
	struct list *first = head->next;
	list_remove(first);
	return first;
}

/* Moves all of `from` to the end of `to`; `from` is empty afterwards. */
static inline void list_splice_back(struct list *to, struct list *from)
{
	if (list_is_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}

/* The body may remove `link`. */
#define list_for_each(link, head) \
	for (struct list *link = (head)->next, *link##_next = link->next; link != (head); \
	     link = link##_next, link##_next = link->next)

#endif
