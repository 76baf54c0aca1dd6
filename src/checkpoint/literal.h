/*
 * Python literals, read piece by piece: texts, whole numbers, True, False, and what stands between
 * them. There are no names, no operators and no calls in here, so there is nothing to evaluate.
 */
#ifndef SFT_SRC_CHECKPOINT_LITERAL_H
#define SFT_SRC_CHECKPOINT_LITERAL_H

#include <sft/base.h>

typedef struct sft_literal {
    const char *start;
    const char *at;
    const char *end;
    uint64_t base; /* of `start` in the file, for errors */
    sft_error *error;
} sft_literal;

/* SFT_MALFORMED_SOURCE, at the place that was come to. */
sft_status sft_literal_fail(const sft_literal *literal, const char *message);

/* Past white space. */
void sft_literal_space(sft_literal *literal);

/* Takes a character of punctuation, and the space before it, if it is next. */
bool sft_literal_take(sft_literal *literal, char punctuation);

/* Whether a text, or a number, is next. */
bool sft_literal_at_string(sft_literal *literal);
bool sft_literal_at_number(sft_literal *literal);

/*
 * A text in single or double quotes, its escapes resolved, as UTF-8 if it was. What does not fit
 * into `room` is cut; *length is that of the whole. SFT_MALFORMED_SOURCE.
 */
sft_status sft_literal_string(sft_literal *literal, char *to, size_t room, size_t *length);

/* A number without a sign, maybe with Python 2's L behind it. SFT_MALFORMED_SOURCE. */
sft_status sft_literal_unsigned(sft_literal *literal, uint64_t *value);

/* Takes a word such as True if it is next. */
bool sft_literal_word(sft_literal *literal, const char *word);

#endif
