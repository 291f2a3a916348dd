#ifndef SKEIN_IM_ENTRIES_BATCH_PARAMS_H
#define SKEIN_IM_ENTRIES_BATCH_PARAMS_H

#include "im/entries/batch_queue.h"

/*
 * The parameters of a batch's statement are arrays. Each array has one element for each entry. `member` is the offset of the field
 * that the element is read from, in the struct of the entry's kind. That struct begins with the entry.
 */

/* Makes room for all parameters at once, when each entry takes `size` besides its texts. */
void batch_params_reserve(struct pg_params *params, const struct batch *batch, size_t size);

/* Two arrays: the batch's conversations, each once, and the place of each entry's one among them, from 1. */
void batch_put_conversations(struct pg_params *params, const struct batch *batch);

void batch_put_ids(struct pg_params *params, const struct batch *batch);

/* The field is a struct str. One without a ptr becomes NULL. */
void batch_put_texts(struct pg_params *params, const struct batch *batch, size_t member);

/* The field is an int64_t. */
void batch_put_numbers(struct pg_params *params, const struct batch *batch, size_t member);

#endif
