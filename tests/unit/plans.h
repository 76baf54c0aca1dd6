/* Checkpoints that were found, made by hand, for tests of what is planned with them. Include after
 * cmocka.h. */
#ifndef SFT_TESTS_PLANS_H
#define SFT_TESTS_PLANS_H

#include <string.h>

#include "base/memory.h"
#include "checkpoint/plan.h"

enum { PLANS_MOST = 40 };

/* Tensors of U8, of one dimension; each may have a storage of its own. */
typedef struct found_by_hand {
    sft_found found;
    sft_found_tensor tensors[PLANS_MOST];
    sft_storage storages[PLANS_MOST];
    sft_found_leaf leaves[PLANS_MOST];
    uint64_t shapes[PLANS_MOST];
} found_by_hand;

static const uint64_t plans_stride[] = {1};

static inline void found_begin(found_by_hand *f, bool torch) {
    memset(f, 0, sizeof *f);
    f->found.torch = torch;
    f->found.tensors = f->tensors;
    f->found.storages = f->storages;
    f->found.leaves = f->leaves;
}

static inline uint64_t found_storage(found_by_hand *f, uint64_t size) {
    assert_true(f->found.storage_count < PLANS_MOST);
    f->storages[f->found.storage_count].region.size = size;
    return f->found.storage_count++;
}

/* The first key ends at the first ':' of the name, which stands for the '.' between keys. */
static inline sft_found_tensor *found_view(found_by_hand *f, const char *name, uint64_t storage,
                                           uint64_t offset, uint64_t size) {
    static char names[256][40];
    static unsigned used;
    uint64_t number = f->found.tensor_count++;
    assert_true(number < PLANS_MOST && strlen(name) < sizeof names[0]);
    char *copy = strcpy(names[used++ % 256], name);
    char *colon = strchr(copy, ':');
    sft_found_tensor *tensor = &f->tensors[number];
    *tensor = (sft_found_tensor){.name = copy,
                                 .name_length = strlen(copy),
                                 .first_key = colon != NULL ? (size_t)(colon - copy) : strlen(copy),
                                 .dtype = SFT_U8,
                                 .dense = true,
                                 .rank = 1,
                                 .shape = &f->shapes[number],
                                 .strides = plans_stride,
                                 .offset = offset,
                                 .storage = storage};
    f->shapes[number] = size;
    if (colon != NULL) {
        *colon = '.';
    }
    return tensor;
}

static inline sft_found_tensor *found_tensor(found_by_hand *f, const char *name, uint64_t size) {
    return found_view(f, name, found_storage(f, size), 0, size);
}

static inline void found_leaf(found_by_hand *f, const char *name, const char *kind) {
    f->leaves[f->found.leaf_count++] = (sft_found_leaf){name, strlen(name), kind};
    f->found.leaf_total++;
}

static inline sft_status plan_made(sft_plan *plan, const found_by_hand *f, const char *key,
                                   const char *prefix, sft_error *error) {
    const sft_found *founds[] = {&f->found};
    const sft_plan_options options = {.allocator = sft_allocator_of(NULL),
                                      .key = key,
                                      .drop_prefix = prefix,
                                      .lone_name = "lone",
                                      .seed = {1, 2}};
    return sft_plan_make(plan, founds, 1, &options, error);
}

#endif
