#include "pickle/memo.h"

#include <string.h>

#include "base/memory.h"

/*
 * A crit-bit tree: a branch tells which bit, counted from the highest, is the first one in which
 * the indices below it differ. A path has at most 64 branches. Number 0 is none; each index after
 * the first adds a leaf and a branch.
 */
struct sft_memo_node {
    uint64_t index;     /* of a leaf */
    uint32_t branch[2]; /* of a branch: by that bit; of a leaf: its value, 0 */
    uint8_t bit;        /* of a branch; LEAF for a leaf */
};

#define LEAF 64

/* How far beyond what is there the array may reach: it stays linear in the number of entries. */
static bool is_dense(const sft_memo *memo, uint64_t index) {
    return index < memo->dense_count || index / 4 < memo->entries + 64;
}

static unsigned bit_of(uint64_t index, unsigned bit) {
    return (unsigned)(index >> (63 - bit)) & 1;
}

/* The leaf that an index would be in: it differs in no bit that a branch on the way asks for. */
static uint32_t nearest(const sft_memo *memo, uint64_t index) {
    uint32_t at = memo->root;
    while (memo->nodes[at].bit != LEAF) {
        at = memo->nodes[at].branch[bit_of(index, memo->nodes[at].bit)];
    }
    return at;
}

static sft_ref tree_get(const sft_memo *memo, uint64_t index) {
    if (memo->root == 0) {
        return SFT_NO_REF;
    }
    const sft_memo_node *leaf = &memo->nodes[nearest(memo, index)];
    return leaf->index == index ? leaf->branch[0] : SFT_NO_REF;
}

sft_ref sft_memo_get(const sft_memo *memo, uint64_t index) {
    if (index < memo->dense_count && memo->dense[index] != SFT_NO_REF) {
        return memo->dense[index];
    }
    return tree_get(memo, index);
}

static uint32_t add_node(sft_memo *memo, const sft_memo_node *node) {
    memo->nodes[memo->node_count] = *node;
    return (uint32_t)memo->node_count++;
}

static bool tree_put(sft_memo *memo, const sft_allocator *allocator, uint64_t index,
                     sft_ref value) {
    void *nodes = memo->nodes;
    uint64_t capacity = memo->node_capacity;
    /* Room for number 0, a leaf and a branch. */
    bool fits = memo->node_count + 3 < UINT32_MAX &&
                (memo->node_count + 3 <= capacity ||
                 sft_reserve(allocator, &nodes, &capacity, capacity + capacity / 2 + 8,
                             sizeof *memo->nodes));
    memo->nodes = nodes;
    memo->node_capacity = capacity;
    if (!fits) {
        return false;
    }
    const sft_memo_node leaf = {index, {value, 0}, LEAF};
    if (memo->root == 0) {
        memo->node_count = 1;
        memo->root = add_node(memo, &leaf);
        return true;
    }
    uint32_t near = nearest(memo, index);
    uint64_t difference = memo->nodes[near].index ^ index;
    if (difference == 0) {
        memo->nodes[near].branch[0] = value;
        return true;
    }
    sft_memo_node branch = {0, {0, 0}, 0};
    while (bit_of(difference, branch.bit) == 0) {
        branch.bit++;
    }
    /* It goes where the path first asks for a lower bit. */
    uint32_t *at = &memo->root;
    while (memo->nodes[*at].bit < branch.bit) {
        at = &memo->nodes[*at].branch[bit_of(index, memo->nodes[*at].bit)];
    }
    unsigned side = bit_of(index, branch.bit);
    branch.branch[side] = add_node(memo, &leaf);
    branch.branch[1 - side] = *at;
    *at = add_node(memo, &branch);
    return true;
}

/* Makes the array reach an index. */
static bool reach(sft_memo *memo, const sft_allocator *allocator, uint64_t index) {
    if (index < memo->dense_count) {
        return true;
    }
    if (index >= memo->dense_capacity) {
        void *dense = memo->dense;
        uint64_t wanted = memo->dense_capacity + memo->dense_capacity / 2 + 32;
        bool fits = sft_reserve(allocator, &dense, &memo->dense_capacity,
                                wanted > index ? wanted : index + 1, sizeof *memo->dense);
        memo->dense = dense;
        if (!fits) {
            return false;
        }
    }
    memset(memo->dense + memo->dense_count, 0,
           (size_t)(index + 1 - memo->dense_count) * sizeof *memo->dense);
    memo->dense_count = index + 1;
    return true;
}

bool sft_memo_put(sft_memo *memo, const sft_allocator *allocator, uint64_t index, sft_ref value) {
    bool is_new = sft_memo_get(memo, index) == SFT_NO_REF;
    if (is_dense(memo, index)) {
        if (!reach(memo, allocator, index)) {
            return false;
        }
        /* From now on it hides what the tree may have for this index. */
        memo->dense[index] = value;
    } else if (!tree_put(memo, allocator, index, value)) {
        return false;
    }
    memo->entries += is_new;
    return true;
}

void sft_memo_free(sft_memo *memo, const sft_allocator *allocator) {
    sft_release(allocator, memo->dense, memo->dense_capacity * sizeof *memo->dense);
    sft_release(allocator, memo->nodes, memo->node_capacity * sizeof *memo->nodes);
    memset(memo, 0, sizeof *memo);
}
