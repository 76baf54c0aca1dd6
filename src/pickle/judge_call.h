/* What the checks of arguments share: a call of something that is known, and its arguments. */
#ifndef SFT_SRC_PICKLE_JUDGE_CALL_H
#define SFT_SRC_PICKLE_JUDGE_CALL_H

#include "pickle/judging.h"

typedef struct sft_call {
    sft_judging *j;
    const sft_known *known;
    sft_ref arguments; /* a TUPLE */
    uint32_t count;
} sft_call;

/* How sentences go on that begin with a call, where what it gets is not fine. */
extern const char sft_too_much[];
extern const char sft_too_far[];
extern const char sft_odd[];
extern const char sft_computed[];

/*
 * Each returns NULL, or what is wrong. sft_check_arguments() is for all that may be called; the
 * others are its parts.
 */
const char *sft_check_arguments(const sft_call *c);
const char *sft_check_numpy(const sft_call *c);     /* (judge_numpy.c) */
const char *sft_check_torch(const sft_call *c);     /* (judge_torch.c) */
const char *sft_check_container(const sft_call *c); /* nothing, or what it is filled with */

/* What a call may cost: bytes, elements of a size, what is gone through element by element. */
const char *sft_arg_grant(const sft_call *c, uint64_t bytes);
const char *sft_arg_grant_elements(const sft_call *c, uint64_t count, uint64_t size);
const char *sft_arg_grant_number(const sft_call *c, sft_ref ref, uint64_t size);
const char *sft_arg_grant_iterable(const sft_call *c, sft_ref ref);

/* SFT_NO_REF where there are not as many. */
static inline sft_ref sft_arg(const sft_call *c, uint32_t index) {
    return sft_graph_at(c->j->graph, c->arguments, index);
}

static inline bool sft_arg_is(const sft_call *c, sft_ref ref, sft_value_kind kind) {
    return ref != SFT_NO_REF && sft_graph_kind(c->j->graph, ref) == kind;
}

static inline bool sft_arg_is_text(const sft_call *c, sft_ref ref) {
    return sft_arg_is(c, ref, SFT_VALUE_STR) || sft_arg_is(c, ref, SFT_VALUE_OLD_STR);
}

static inline bool sft_arg_is_number(const sft_call *c, sft_ref ref) {
    return sft_arg_is(c, ref, SFT_VALUE_INT) || sft_arg_is(c, ref, SFT_VALUE_BOOL) ||
           sft_arg_is(c, ref, SFT_VALUE_BIG_INT);
}

/* Of a name; NONE for all else. */
static inline sft_role sft_arg_role(const sft_call *c, sft_ref ref) {
    return sft_arg_is(c, ref, SFT_VALUE_GLOBAL) ? sft_judging_known(c->j, ref).role : SFT_ROLE_NONE;
}

static inline bool sft_arg_is_empty(const sft_graph *graph, sft_ref ref) {
    sft_value_kind kind = sft_graph_kind(graph, ref);
    return (kind == SFT_VALUE_LIST || kind == SFT_VALUE_TUPLE || kind == SFT_VALUE_DICT) &&
           sft_graph_value(graph, ref)->count == 0;
}

#endif
