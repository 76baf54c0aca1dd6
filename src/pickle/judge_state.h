/* What judge_state.c and judge_state_numpy.c share. */
#ifndef SFT_SRC_PICKLE_JUDGE_STATE_H
#define SFT_SRC_PICKLE_JUDGE_STATE_H

#include "pickle/judging.h"

/* The kind of a value; NONE where there is none. */
static inline sft_value_kind sft_state_kind(const sft_judging *j, sft_ref ref) {
    return ref == SFT_NO_REF ? SFT_VALUE_NONE : sft_graph_kind(j->graph, ref);
}

static inline sft_ref sft_state_at(const sft_judging *j, sft_ref tuple, uint32_t index) {
    return sft_graph_at(j->graph, tuple, index);
}

static inline bool sft_state_is_none(const sft_judging *j, sft_ref ref) {
    return ref != SFT_NO_REF && sft_state_kind(j, ref) == SFT_VALUE_NONE;
}

/* NULL, or why a state that is given to an array, or to a dtype, is not fine. */
const char *sft_judge_array(sft_judging *j, sft_ref object, sft_ref state);
const char *sft_judge_dtype(sft_judging *j, sft_ref dtype, sft_ref state);

#endif
