/*
 * The memo of a pickle: values by a 64-bit index. Indices that follow each other, as picklers write
 * them, take an array; any other takes one node of a tree, so that memory is linear in the number
 * of entries, and no choice of indices makes a look-up slow.
 */
#ifndef SFT_SRC_PICKLE_MEMO_H
#define SFT_SRC_PICKLE_MEMO_H

#include "pickle/graph.h"

typedef struct sft_memo_node sft_memo_node;

typedef struct sft_memo {
    sft_ref *dense; /* by index; SFT_NO_REF: not there, or in the tree */
    uint64_t dense_count, dense_capacity;
    sft_memo_node *nodes; /* of the tree; see memo.c */
    uint64_t node_count, node_capacity;
    uint32_t root;
    uint64_t entries; /* different indices that have a value */
} sft_memo;

/* SFT_NO_REF where there is none. */
sft_ref sft_memo_get(const sft_memo *memo, uint64_t index);

/* False where there is no memory. */
bool sft_memo_put(sft_memo *memo, const sft_allocator *allocator, uint64_t index, sft_ref value);

void sft_memo_free(sft_memo *memo, const sft_allocator *allocator);

#endif
