#include "loop/mailbox.h"

#include <assert.h>
#include <stdbool.h>

static struct letter *mailbox_take_all(struct mailbox *box)
{
	uv_mutex_lock(&box->lock);
	struct letter *letter = box->first;
	box->first = NULL;
	box->tail = &box->first;
	uv_mutex_unlock(&box->lock);
	return letter;
}

static void mailbox_hand_over(struct mailbox *box, mailbox_handler handle)
{
	struct letter *next;

	for (struct letter *letter = mailbox_take_all(box); letter; letter = next) {
		next = letter->next; /* the handler may free the letter */
		handle(letter, box->arg);
	}
}

static void mailbox_on_wake(uv_async_t *wake)
{
	struct mailbox *box = wake->data;

	mailbox_hand_over(box, box->handle);
}

err_t mailbox_init(struct mailbox *box, uv_loop_t *loop,
                   mailbox_handler handle, void *arg)
{
	box->first = NULL;
	box->tail = &box->first;
	box->handle = handle;
	box->arg = arg;
	if (uv_mutex_init(&box->lock))
		return ERR_NO_MEMORY;
	if (uv_async_init(loop, &box->wake, mailbox_on_wake)) {
		uv_mutex_destroy(&box->lock);
		return ERR_NO_MEMORY;
	}
	box->wake.data = box;
	return OK;
}

void mailbox_post(struct mailbox *box, struct letter *letter)
{
	letter->next = NULL;
	uv_mutex_lock(&box->lock);
	bool was_empty = !box->first;
	*box->tail = letter;
	box->tail = &letter->next;
	uv_mutex_unlock(&box->lock);
	if (was_empty)
		uv_async_send(&box->wake);
}

void mailbox_close(struct mailbox *box, mailbox_handler drop, uv_close_cb closed)
{
	assert(!uv_is_closing((uv_handle_t *)&box->wake));
	if (drop)
		mailbox_hand_over(box, drop);
	uv_mutex_destroy(&box->lock);
	uv_close((uv_handle_t *)&box->wake, closed);
}
