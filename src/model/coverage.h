/* Which bytes of a tensor have come: sorted runs that neither touch nor overlap. */
#ifndef SFT_SRC_MODEL_COVERAGE_H
#define SFT_SRC_MODEL_COVERAGE_H

#include <sft/base.h>

typedef struct sft_run {
    uint64_t begin;
    uint64_t end;
} sft_run;

/* Starts zeroed. Pieces that come in order take no memory beyond this. */
typedef struct sft_coverage {
    sft_run first; /* the only run, while runs is NULL */
    sft_run *runs;
    uint64_t count;
    uint64_t capacity;
} sft_coverage;

/*
 * Adds the bytes from begin up to end, begin < end; *gained receives how many of them are new.
 * Constant time for a piece at the end of the last run. False where there is no memory.
 */
bool sft_coverage_add(sft_coverage *coverage, const sft_allocator *allocator, uint64_t begin,
                      uint64_t end, uint64_t *gained);

/* The first byte that has not come: size or more if all have. */
uint64_t sft_coverage_missing(const sft_coverage *coverage);

void sft_coverage_free(sft_coverage *coverage, const sft_allocator *allocator);

#endif
