#include "checkpoint/ties.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/sort.h"

static int compare(uint64_t a, uint64_t b) {
    return (a > b) - (a < b);
}

static int compare_all(const uint64_t *a, const uint64_t *b, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        if (a[i] != b[i]) {
            return compare(a[i], b[i]);
        }
    }
    return 0;
}

static uint64_t kind(const sft_found_tensor *tensor) {
    return (uint64_t)tensor->dtype << 2 | (uint64_t)tensor->conjugate << 1 | tensor->negative;
}

/* 0 for two views of the same bytes in the same shape. */
static int compare_views(const sft_plan_tensor *left, const sft_plan_tensor *right) {
    const sft_found_tensor *a = left->tensor;
    const sft_found_tensor *b = right->tensor;
    const uint64_t of_a[] = {left->source, a->storage, a->offset, kind(a), a->rank};
    const uint64_t of_b[] = {right->source, b->storage, b->offset, kind(b), b->rank};
    int order = compare_all(of_a, of_b, sizeof of_a / sizeof of_a[0]);
    order = order != 0 ? order : compare_all(a->shape, b->shape, a->rank);
    return order != 0 ? order : compare_all(a->strides, b->strides, a->rank);
}

static bool stands_after(const void *things, uint32_t a, uint32_t b) {
    const sft_plan_tensor *tensors = things;
    int order = compare_views(&tensors[a], &tensors[b]);
    return order > 0 || (order == 0 && sft_sort_bytes(tensors[a].name, tensors[a].name_length,
                                                      tensors[b].name, tensors[b].name_length) > 0);
}

/* What `file` says of a tensor that is dropped, until sft_plan_tie() ends. */
#define DROPPED UINT64_MAX

/* Notes the ties, in the order of the views, if there is room for them; returns how many. */
static uint64_t find_ties(sft_plan *plan, const uint32_t *order, sft_tie *ties) {
    uint64_t count = 0;
    const sft_plan_tensor *kept = NULL;
    for (uint64_t i = 0; i < plan->count; i++) {
        sft_plan_tensor *tensor = &plan->tensors[order[i]];
        /* Of tensors without bytes each stays, as huggingface_hub and the Python package do it. */
        if (kept == NULL || tensor->size == 0 || compare_views(kept, tensor) != 0) {
            kept = tensor;
            continue;
        }
        if (ties != NULL) {
            ties[count] =
                (sft_tie){tensor->name, tensor->name_length, kept->name, kept->name_length};
            tensor->file = DROPPED;
        }
        count++;
    }
    return count;
}

static void remove_dropped(sft_plan *plan) {
    uint64_t count = 0;
    for (uint64_t i = 0; i < plan->count; i++) {
        if (plan->tensors[i].file != DROPPED) {
            plan->tensors[count++] = plan->tensors[i];
        } else {
            plan->bytes -= plan->tensors[i].size;
        }
    }
    plan->count = count;
}

static bool tie_after(const void *things, uint32_t a, uint32_t b) {
    const sft_tie *ties = things;
    return sft_sort_bytes(ties[a].dropped, ties[a].dropped_length, ties[b].dropped,
                          ties[b].dropped_length) > 0;
}

/* Takes the ties over in the order of the names that are dropped. */
static bool take_sorted(sft_plan *plan, const sft_tie *ties, uint64_t count) {
    uint32_t *order = sft_sort(ties, (uint32_t)count, tie_after, &plan->allocator);
    plan->ties = sft_arena_take(&plan->arena, count * sizeof *plan->ties);
    bool whole = order != NULL && plan->ties != NULL;
    for (uint64_t i = 0; i < count && whole; i++) {
        plan->ties[i] = ties[order[i]];
    }
    plan->tie_count = whole ? count : 0;
    sft_release(&plan->allocator, order, count * sizeof *order);
    return whole;
}

sft_status sft_plan_tie(sft_plan *plan, sft_error *error) {
    uint32_t *order =
        sft_sort(plan->tensors, (uint32_t)plan->count, stands_after, &plan->allocator);
    if (order == NULL) {
        return sft_fail_memory(error);
    }
    bool whole = true;
    uint64_t sorted = plan->count;
    uint64_t count = find_ties(plan, order, NULL);
    if (count > 0) {
        sft_tie *ties = sft_allocate_zeroed(&plan->allocator, count, sizeof *ties);
        whole = ties != NULL;
        if (whole) {
            find_ties(plan, order, ties);
            whole = take_sorted(plan, ties, count);
            remove_dropped(plan);
        }
        sft_release(&plan->allocator, ties, count * sizeof *ties);
    }
    sft_release(&plan->allocator, order, sorted * sizeof *order);
    return whole ? SFT_OK : sft_fail_memory(error);
}
