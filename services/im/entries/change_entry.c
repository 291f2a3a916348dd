#include "im/entries/change_entry.h"

#include "im/entries/batch_params.h"

/* as fn.im_change() */
const struct pg_statement change_entry_statement = {
	"change",
	"select c.ord, (c.answer).status, (c.answer).msg_id, (c.answer).seq, (c.answer).time, (c.answer).duplicate,"
	" (c.answer).member_version, (c.answer).detail, (c.answer).type, (c.answer).sender, (c.answer).body, (c.answer).target_seq,"
	" array_to_string((c.answer).joined, ','), array_to_string((c.answer).\"left\", ','), (c.answer).expires_at"
	" from fn.im_change($1::integer, $2::bigint, $3::bigint, $4::text[], $5::integer[], $6::bigint[], $7::text[], $8::text[],"
	" $9::text[], $10::text[], $11::bigint[], $12::bigint[], $13::bigint[]) c",
};

/* Of a change, besides its texts: what the arrays hold of it. */
#define PARAMS_OF_A_CHANGE 96

void change_entry_put(struct pg_params *params, const struct batch *batch)
{
	batch_params_reserve(params, batch, PARAMS_OF_A_CHANGE);
	batch_put_conversations(params, batch);
	batch_put_ids(params, batch);
	batch_put_texts(params, batch, offsetof(struct change_entry, kind));
	batch_put_texts(params, batch, offsetof(struct change_entry, caller));
	batch_put_texts(params, batch, offsetof(struct change_entry, subject));
	batch_put_texts(params, batch, offsetof(struct change_entry, types));
	for (size_t i = 0; i < CHANGE_NUMBERS; i++)
		batch_put_numbers(params, batch, offsetof(struct change_entry, numbers) + i * sizeof(int64_t));
}

struct entry *change_entry_new(const struct change_entry_kind *kind, struct str conversation, const struct change_terms *terms,
                               const struct entry_caller *caller)
{
	struct str texts[] = { caller->uid, terms->subject, terms->types };

	struct entry *entry =
		entry_new(&kind->kind, sizeof(struct change_entry), conversation, caller, texts, ARRAY_LEN(texts));
	struct change_entry *change = container_of(entry, struct change_entry, entry);
	change->kind = str_from(kind->name);
	change->caller = texts[0];
	change->subject = texts[1];
	change->types = texts[2];
	memcpy(change->numbers, terms->numbers, sizeof(change->numbers));
	return entry;
}

const struct change_entry *change_entry_of(const struct entry *entry)
{
	return container_of(entry, const struct change_entry, entry);
}
