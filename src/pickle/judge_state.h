/* The states of NumPy's objects, for judge_state.c. */
#ifndef SFT_SRC_PICKLE_JUDGE_STATE_H
#define SFT_SRC_PICKLE_JUDGE_STATE_H

#include "pickle/judging.h"

/* NULL, or why a state that is given to an array, or to a dtype, is not fine. */
const char *sft_judge_array(sft_judging *j, sft_ref object, sft_ref state);
const char *sft_judge_dtype(sft_judging *j, sft_ref dtype, sft_ref state);

#endif
