/* What the parts of judge.c share: one judging, and the questions that its parts answer. */
#ifndef SFT_SRC_PICKLE_JUDGING_H
#define SFT_SRC_PICKLE_JUDGING_H

#include "pickle/judge.h"

typedef struct sft_judging {
    const sft_judge *judge;
    const sft_graph *graph;
    sft_allocator allocator;
    uint8_t *marks;    /* a byte a value: see below */
    uint64_t granted;  /* bytes that calls have asked for, in all */
    uint64_t reported; /* judgements so far */
    bool stopped;      /* by the caller */
    char global[256];
    char call[400];
    char detail[1100];
} sft_judging;

/* What was done with a value already, so that no value is gone through twice. */
enum {
    SFT_MARK_HANDED = 1,   /* reported to judge->handed, or gone through for it */
    SFT_MARK_LOADED = 2,   /* reported as handed to a loader */
    SFT_MARK_PLAIN = 4,    /* a state that is fine */
    SFT_MARK_ODD = 8,      /* a state that is not */
    SFT_MARK_DISTINCT = 16 /* names of fields, no two of which are alike */
};

/* What a call or a class of the policy is to the judge. */
typedef struct sft_known {
    sft_policy_answer answer;
    uint8_t flags; /* of the entry; all of them for what the caller vouches for */
    sft_role role;
    const char *name; /* of the entry, else "" */
} sft_known;

sft_known sft_judging_known(const sft_judging *j, sft_ref ref);

/* The same for the class of what a call returned: of an instance that copyreg made, its own. */
sft_known sft_judging_result(const sft_judging *j, sft_ref object);

/*
 * Why a call of something allowed or inert is not fine with its arguments: how a sentence goes on
 * that begins with the call; NULL where all is well. (judge_call.c)
 */
const char *sft_judge_call(sft_judging *j, const sft_known *known, sft_ref object);

/* The same for a state that BUILD gives to an instance. (judge_state.c, judge_state_numpy.c) */
const char *sft_judge_state(sft_judging *j, const sft_known *known, sft_ref object, sft_ref state);

/* Attributes: {name: value}, or a pair of such, whose names are no machinery of Python's. */
const char *sft_judge_attributes(sft_judging *j, sft_ref state);

/*
 * What is wrong with offset, sizes and strides of a tensor over a storage, or NULL: PyTorch makes a
 * storage larger where a tensor reaches beyond it, before it finds that odd. What raises an error
 * is no harm. (judge_torch.c)
 */
const char *sft_judge_extent(const sft_judging *j, sft_ref storage, const sft_ref *view);

/* Whether a value is what a tensor's backward hooks are in a checkpoint: none. */
bool sft_judging_no_hooks(const sft_judging *j, sft_ref ref);

/* Whether a value is a storage; a tensor. */
bool sft_judging_is_storage(const sft_judging *j, sft_ref ref);
bool sft_judging_is_tensor(const sft_judging *j, sft_ref ref);

/* The role of what made an OBJECT; NONE for all else. */
sft_role sft_judging_made_by(const sft_judging *j, sft_ref ref);

/* False where a call asks for more bytes than the input can justify. */
bool sft_judging_grant(sft_judging *j, uint64_t bytes);

/* The same for a copy of what sft_judging_is_bytes() knows. */
bool sft_judging_grant_bytes(sft_judging *j, sft_ref ref);

/* How many elements sizes stand for, in a TUPLE of numbers or a torch.Size of such. */
bool sft_judging_elements(const sft_judging *j, sft_ref sizes, uint64_t *elements);

/* The arguments of an OBJECT; false where they are not known. */
bool sft_judging_arguments(const sft_judging *j, sft_ref object, sft_ref *arguments,
                           uint32_t *count);

/* Whether a value is bytes that stand in the file: what sft_bytes_of() knows, or bytes(). */
bool sft_judging_is_bytes(const sft_judging *j, sft_ref ref);

/* Whether a value is a text that names ISO 8859-1. */
bool sft_is_latin1(const sft_graph *graph, sft_ref encoding);

/* Reports the texts that a call gets. False where there is no memory. (judge_handed.c) */
bool sft_judge_handed(sft_judging *j, sft_ref object, uint64_t at);

/* Reports the text that is loaded. */
void sft_judge_loaded(sft_judging *j, sft_ref ref, uint64_t at);

#endif
