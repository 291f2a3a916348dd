#include "push/inboxes/append_window.h"

#include "base/macros.h"

void append_window_init(struct append_window *window, size_t max)
{
	*window = (struct append_window){ .max = max };
	list_init(&window->waiting);
}

void append_turn_init(struct append_turn *turn, void (*go)(struct append_turn *turn))
{
	list_init(&turn->link);
	turn->go = go;
}

bool append_window_take(struct append_window *window, struct append_turn *turn)
{
	if (window->under_way < window->max) {
		window->under_way++;
		return true;
	}
	list_remove(&turn->link);
	list_push_back(&window->waiting, &turn->link);
	return false;
}

void append_window_give_back(struct append_window *window)
{
	struct list *first;

	window->under_way--;
	if (window->under_way < window->max && (first = list_pop_front(&window->waiting))) {
		struct append_turn *turn = container_of(first, struct append_turn, link);

		turn->go(turn);
	}
}

void append_turn_leave(struct append_turn *turn)
{
	list_remove(&turn->link);
}
