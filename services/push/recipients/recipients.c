#include "push/recipients/recipients.h"

#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/mem.h"

static int recipients_compare(const void *left, const void *right)
{
	const struct str *a = left, *b = right;
	int order = memcmp(a->ptr, b->ptr, MIN(a->len, b->len));

	return order ? order : (a->len > b->len) - (a->len < b->len);
}

static size_t recipients_remove_repeats(struct str *sorted, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++)
		if (!kept || !str_equal(sorted[kept - 1], sorted[i]))
			sorted[kept++] = sorted[i];
	return kept;
}

/* `sorted` has no repeats; its text is copied. */
static struct recipients *recipients_make(const struct str *sorted, size_t count)
{
	size_t text = 0;

	for (size_t i = 0; i < count; i++)
		text += sorted[i].len + 1;
	struct recipients *made = mem_alloc(sizeof(*made) + count * sizeof(made->uids[0]) + text);
	char *at = (char *)&made->uids[count];
	made->refs = 1;
	made->count = (uint32_t)count;
	for (size_t i = 0; i < count; i++) {
		(void)str_copy(at, sorted[i].len + 1, sorted[i]);
		made->uids[i] = str_of(at, sorted[i].len);
		at += sorted[i].len + 1;
	}
	return made;
}

struct recipients *recipients_new(const struct str *uids, size_t count)
{
	struct str *sorted = mem_alloc(count * sizeof(*sorted));

	if (count)
		memcpy(sorted, uids, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), recipients_compare);
	struct recipients *made = recipients_make(sorted, recipients_remove_repeats(sorted, count));
	mem_free(sorted);
	return made;
}

struct recipients *recipients_ref(struct recipients *recipients)
{
	recipients->refs++;
	return recipients;
}

void recipients_unref(struct recipients *recipients)
{
	if (recipients && --recipients->refs == 0)
		mem_free(recipients);
}

struct recipients *recipients_of_direct(const struct conversation *conversation)
{
	const struct str sorted[] = { conversation->first, conversation->second };
	bool is_to_self = str_equal(sorted[0], sorted[1]);

	return recipients_make(sorted, is_to_self ? 1 : 2);
}

bool recipients_have(const struct recipients *recipients, struct str uid)
{
	return recipients->count &&
	       bsearch(&uid, recipients->uids, recipients->count, sizeof(uid), recipients_compare) != NULL;
}

/* ---- changes ---- */

/* Sorts the uids into `out`. False unless they are different uids and all of them (are_in), or none, are in `list`. */
static bool recipients_sort_change(const struct recipients *list, char **uids, size_t count, bool are_in, struct str *out)
{
	for (size_t i = 0; i < count; i++) {
		out[i] = str_from(uids[i]);
		if (!ident_is_valid(out[i]) || recipients_have(list, out[i]) != are_in)
			return false;
	}
	qsort(out, count, sizeof(*out), recipients_compare);
	return recipients_remove_repeats(out, count) == count;
}

/* Writes `before` without `left` and with `joined` to `out`. All are sorted. Returns the count. */
static size_t recipients_merge(struct str *out, const struct recipients *before, const struct str *joined, size_t joined_count,
                               const struct str *left, size_t left_count)
{
	size_t count = 0, next_joined = 0, next_left = 0;

	for (uint32_t i = 0; i < before->count; i++) {
		struct str uid = before->uids[i];

		while (next_joined < joined_count && recipients_compare(&joined[next_joined], &uid) < 0)
			out[count++] = joined[next_joined++];
		if (next_left < left_count && str_equal(left[next_left], uid))
			next_left++;
		else
			out[count++] = uid;
	}
	while (next_joined < joined_count)
		out[count++] = joined[next_joined++];
	return count;
}

struct recipients *recipients_changed(const struct recipients *before, const Skein__V1__MembershipDelta *delta)
{
	struct str *joined = mem_alloc(delta->n_joined * sizeof(*joined));
	struct str *left = mem_alloc(delta->n_left * sizeof(*left));
	struct recipients *made = NULL;

	if (recipients_sort_change(before, delta->joined, delta->n_joined, false, joined) &&
	    recipients_sort_change(before, delta->left, delta->n_left, true, left)) {
		struct str *merged = mem_alloc((before->count + delta->n_joined) * sizeof(*merged));
		size_t count = recipients_merge(merged, before, joined, delta->n_joined, left, delta->n_left);

		made = recipients_make(merged, count);
		mem_free(merged);
	}
	mem_free(joined);
	mem_free(left);
	return made;
}
